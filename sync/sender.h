// One direction of a session, the active's side: what this node owns goes to the peer.
//
// A round makes the peer's copies equal to what this node owns: first whatever waits (Flows), then the digests of all buckets
// (Digests), then the buckets that the peer asks for (Request, Bucket), then Complete. From the digests on, changes are sent as
// they come. Every connection and every change of roles begins with a round, so that nothing depends on what was sent earlier.
// After a lost connection only what had changed since goes over the wire, and the digests turn out equal.
//
// Order needs no versions: each operation and each bucket tells the flow's state at the moment when it is written, and a connection
// keeps bytes in order. So what comes later in a connection is newer, and nothing of an older connection is ever used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "sync/encoder.h"
#include "sync/flow_store.h"
#include "sync/owed.h"

namespace wsl4::sync {

class Sender {
 public:
  /// At most about `window` flows are sent before the peer's kernel has them.
  Sender(FlowStore& store, std::size_t window) : store_(store), owed_(store.dictionary()), window_(window) {}

  /// A flow that is or was this node's own is new, changed or gone.
  void changed(const FlowKey& key, Time now);

  void connected();
  void disconnected();
  /// Begins a round. `resume`: the peer's copies are this node's flows as they once were, so that what has changed since is all
  /// that differs, if that is known.
  void begin_round(bool resume);
  /// This node owns nothing any more.
  void stop();

  void on_request(const Request& request);
  void on_ack(const Ack& ack, Time now);
  /// Appends frames, about `limit` bytes (a bucket is never cut), or fewer if the window is full or nothing waits.
  void write(std::vector<std::uint8_t>& out, std::size_t limit);

  /// The peer's kernel has all that this node owned when the last round was completed, and what was acknowledged since.
  [[nodiscard]] bool synced() const;
  /// Changes that the peer's kernel does not have yet.
  [[nodiscard]] std::size_t pending() const { return owed_.waiting() + owed_.in_flight(); }
  /// How old the oldest such change is, or how long the last one took.
  [[nodiscard]] Time lag(Time now) const;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }        // flows and ends of flows
  [[nodiscard]] std::uint64_t resyncs() const { return resyncs_; }  // rounds that found a difference

 private:
  enum class Phase : std::uint8_t { kOff, kCatchingUp, kAsking, kFilling, kComplete };
  struct Sent {
    std::uint64_t sequence = 0;
    std::size_t flows = 0;
    std::uint64_t oldest = 0;  // microseconds; 0: no changes
  };
  bool write_next(std::vector<std::uint8_t>& out);
  void write_changes(std::vector<std::uint8_t>& out);
  void write_bucket(std::vector<std::uint8_t>& out, std::uint16_t bucket);
  void write_digests(std::vector<std::uint8_t>& out);
  void write_complete(std::vector<std::uint8_t>& out);
  void write_operation(ByteWriter& out, const FlowKey& key);
  void write_upsert(ByteWriter& out, const Record& record);
  void define(ByteWriter& out, TermIndex index);
  void note_sent(std::size_t flows, std::uint64_t oldest);

  FlowStore& store_;
  Owed owed_;
  const std::size_t window_;
  Phase phase_ = Phase::kOff;
  bool tracked_ = false;  // `owed_` names all that has changed since the last round, or since the one before if that was cut off
  bool buckets_turn_ = false;
  bool peer_synced_ = false;
  std::uint32_t round_ = 0;
  std::uint64_t sequence_ = 0, acknowledged_ = 0, completed_ = 0;
  std::deque<std::uint16_t> buckets_;  // asked for and not sent
  std::deque<Sent> window_frames_;     // sent and not acknowledged
  std::size_t window_flows_ = 0;
  std::vector<std::uint32_t> defined_;  // generation of each term as the peer knows it; 0: not at all
  Time last_lag_{0};
  std::uint64_t sent_ = 0, resyncs_ = 0;
};

}  // namespace wsl4::sync
