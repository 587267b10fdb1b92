// The pair's end of the copying of flows: the session of sync/ between the link to the peer and this node's kernel
// (flows/replicator.h is the kernel's end). On the pair's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/flows/replicator.h"
#include "daemon/pair/comparison.h"
#include "daemon/peer/session.h"
#include "sync/session.h"

namespace wsl4::pair {

class Replication final : public peer::Session {
 public:
  struct Callbacks {
    /// To the kernel thread; `done` is to be called with what became of it.
    std::function<void(sync::Batch)> apply;
    std::function<void(const sync::Event&)> on_event;
    /// The session has something to send.
    std::function<void()> wake;
    /// Once each heartbeat, before it is sent.
    std::function<void()> on_heartbeat;
    /// After anything that may have changed `state` or what is pending.
    std::function<void()> on_progress;
    /// The kernel did not have these flows as it should.
    std::function<void(std::size_t flows)> on_drift;
  };

  Replication(boost::asio::io_context& io, sync::Options options, Callbacks callbacks);

  /// Heartbeats begin.
  void start();

  // The kernel's end:
  void take(const flows::FlowChanges& changes);
  void done(const flows::OperationsDone& done);

  void set_role(sync::Role role);
  [[nodiscard]] bool is_active() const { return active_; }  // as the session takes this node

  /// The session; after a call that may have something to send or to do, `pump`.
  [[nodiscard]] sync::Session& session() { return session_; }
  void pump();

  [[nodiscard]] static sync::Time now();
  [[nodiscard]] sync::Status status() const { return session_.status(now()); }
  [[nodiscard]] bool connected() const { return session_.state() != sync::State::kDisconnected; }

  // The link's:
  void on_connected() override;
  void on_bytes(std::span<const std::uint8_t> bytes) override;
  void next_bytes(std::vector<std::uint8_t>& out, std::size_t budget) override;
  void on_disconnected(const std::string& reason) override;

 private:
  struct UnderWay {
    std::uint64_t number;
    std::vector<sync::Flow> flows;
  };
  void beat();
  void handle(const flows::FlowChange& change);
  void begin_comparison();
  void compare(const sync::Flow& flow);
  void end_comparison();
  void settle_suspects();
  void find_missing();
  /// The peer says what flows there are, not this node's kernel.
  [[nodiscard]] bool follows() const;

  boost::asio::io_context& io_;
  Callbacks callbacks_;
  std::chrono::microseconds heartbeat_interval_;
  sync::Session session_;
  boost::asio::steady_timer timer_;
  std::deque<UnderWay> under_way_;
  std::size_t operations_ = 0;  // of all that is under way
  Comparison comparison_;
  std::vector<sync::Flow> suspects_;  // shown by the dump otherwise than the session has them
  bool followed_ = false;             // when the comparison began
  std::size_t drift_ = 0;             // that it has found
  bool searching_ = false;            // the dump has ended; what it did not show is being looked for, piece by piece
  bool active_ = false;
  bool pumping_ = false, again_ = false;
};

}  // namespace wsl4::pair
