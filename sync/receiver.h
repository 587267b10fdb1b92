// The other direction of a session: copies of what the peer owns. Frames change the copies at once and in order; the kernel follows
// (kernel_feed.h), and what it has is acknowledged.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "sync/decoder.h"
#include "sync/flow_store.h"
#include "sync/kernel_feed.h"

namespace wsl4::sync {

/// A peer that sends more is refused.
inline constexpr std::size_t kMaxFlows = 1U << 24;

class Receiver {
 public:
  Receiver(FlowStore& store, KernelFeed& feed) : store_(store), feed_(feed) {}
  ~Receiver() { disconnected(); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// `peer` is its incarnation.
  void connected(std::uint64_t peer);
  void disconnected();
  /// The copies are nobody's any more: this node has made them its own, or put its own to them.
  void mixed();

  /// After an error the connection is of no use.
  [[nodiscard]] Result<void> on_flows(std::span<const std::uint8_t> payload);
  [[nodiscard]] Result<void> on_bucket(std::span<const std::uint8_t> payload);
  [[nodiscard]] Request on_digests(const Digests& digests);
  [[nodiscard]] Result<void> on_complete(const Complete& complete);

  /// What to acknowledge, if that is news.
  [[nodiscard]] std::optional<Ack> take_ack();
  /// A stamp for what is marked in the feed for other reasons than a frame.
  [[nodiscard]] std::uint64_t next_stamp() const { return base_ + received_ + 1; }

  /// The kernel has everything of the last completed round.
  [[nodiscard]] bool synced() const { return completed_ && acknowledgeable() >= *completed_ && feed_.sound(); }
  /// Incarnation of the node that the copies are of, if they were once complete; else 0.
  [[nodiscard]] std::uint64_t copy_of() const { return copy_of_; }
  [[nodiscard]] std::uint64_t received() const { return flows_received_; }  // flows and ends of flows
  [[nodiscard]] std::uint64_t resyncs() const { return resyncs_; }          // rounds that found a difference

 private:
  [[nodiscard]] Result<void> next_sequence(std::uint64_t sequence);
  [[nodiscard]] Result<void> apply_all(ByteReader& in);
  [[nodiscard]] Result<void> apply(const Define& define);
  [[nodiscard]] Result<void> apply(const Upsert& upsert);
  [[nodiscard]] Result<void> apply(const Erase& erase);
  void drop_copy(const FlowKey& key);
  [[nodiscard]] std::optional<TermIndex> translate(TermIndex index, Family family) const;
  [[nodiscard]] std::optional<FlowKey> translate(const FlowKey& key, Family family) const;
  void begin_bucket(std::uint16_t bucket);
  void confirm(const FlowKey& key);
  void end_bucket();
  [[nodiscard]] std::uint64_t acknowledgeable() const;

  FlowStore& store_;
  KernelFeed& feed_;
  std::uint64_t peer_ = 0, copy_of_ = 0;
  std::uint64_t base_ = 0;      // stamps of the feed are sequence numbers that go on over connections
  std::uint64_t received_ = 0;  // sequence number
  std::optional<std::uint64_t> completed_;
  Ack acknowledged_;                             // as the peer was told last
  std::vector<std::optional<TermIndex>> terms_;  // this node's number for each of the peer's, with a reference
  std::optional<std::uint16_t> bucket_;          // of which parts are still to come
  boost::unordered_flat_set<FlowKey, FlowKeyHash>
      unconfirmed_;  // copies in that bucket that the peer has not named; with references
  std::uint64_t flows_received_ = 0, resyncs_ = 0;
};

}  // namespace wsl4::sync
