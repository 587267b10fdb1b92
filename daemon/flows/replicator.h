// The kernel thread's end of the copying of flows: tells the pair's thread what the kernel has, and puts into the kernel what comes
// from the peer. The other end is pair/replication.h.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/flows/bridge.h"
#include "daemon/flows/injector.h"
#include "daemon/flows/observer.h"
#include "sync/kernel_feed.h"

namespace wsl4::flows {

/// What the kernel was seen to do, in order.
struct FlowChange {
  enum class Kind : std::uint8_t { kSeen, kEnded, kDumpBegan, kDumped, kDumpEnded, kDumpBroken, kLost };
  Kind kind = Kind::kSeen;  // kLost: what came after the last change was not told; a dump follows
  sync::Flow flow;          // of kSeen, kEnded (client, VIP and protocol count), kDumped
};
using FlowChanges = std::vector<FlowChange>;

/// What became of a batch of operations.
struct OperationsDone {
  std::uint64_t number = 0;
  bool known = true;  // false: nobody knows what the kernel has of it
  std::vector<sync::Flow> refused;
  std::size_t unasked = 0;  // so many of them for want of a number for their backend, before the kernel was asked
};

class Replicator final : public FlowObserver {
 public:
  /// So many changes may wait for the pair's thread. More are not told, and the table is read when they have been taken.
  static constexpr std::size_t kMaxChanges = 1U << 18;
  /// Each handing over wakes three threads and sends a packet, which for single flows is many times what the flows cost. So changes
  /// are gathered: those that follow others by less wait, unless there are many.
  static constexpr std::chrono::milliseconds kGatherTime{20};
  static constexpr std::size_t kGathered = 512;

  /// All are called on the kernel thread.
  struct Callbacks {
    /// To be handed to the pair's thread, which calls `taken` for them.
    std::function<void(FlowChanges)> on_changes;
    std::function<void(OperationsDone)> on_done;
    /// A copy goes to a backend that has no number here: it has left this node's configuration, or has not come yet.
    std::function<void(const BackendNumbers::Place&)> on_unknown_backend;
    /// What has been done to entries.
    Injector::Told told;
    /// The table has to be read.
    std::function<void()> look;
  };

  Replicator(boost::asio::io_context& io, service::MarkLayout mark, netlink::conntrack::Conntrack& conntrack,
             netlink::TcpProber& prober, const BackendNumbers& numbers, Callbacks callbacks,
             std::chrono::milliseconds gather_time = kGatherTime);

  // Kernel thread:
  /// `change` is being made in `before`.
  void follow(const service::StateChange& change, const service::DesiredState& before);
  /// As Injector.
  void spare_present(bool spare) { injector_.spare_present(spare); }
  void apply(const sync::Batch& batch);
  [[nodiscard]] const Injector::Stats& stats() const { return injector_.stats(); }

  void seen(const netlink::conntrack::Flow& flow) override;
  void ended(const netlink::conntrack::Flow& flow) override;
  void dump_began() override;
  void dumped(const netlink::conntrack::Flow& flow) override;
  void dump_ended(bool whole) override;
  void flush() override;
  /// All that was told, now.
  void pass_on();

  /// From any thread: so many changes have been dealt with.
  void taken(std::size_t changes) { waiting_ -= changes; }

 private:
  void add(FlowChange::Kind kind, const netlink::conntrack::Flow* flow = nullptr);
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] bool gathers();
  void hand_over(FlowChanges changes);
  [[nodiscard]] std::optional<Injector::Change> change_of(const sync::Operation& operation);
  void done(const Injector::Done& finished);

  service::MarkLayout mark_;
  Callbacks callbacks_;
  ClientLimits limits_;
  Injector injector_;
  const BackendNumbers& numbers_;
  FlowChanges changes_;
  const std::chrono::milliseconds gather_time_;
  Clock::time_point passed_on_at_;
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
  std::atomic<std::size_t> waiting_ = 0;
  bool lost_ = false;                                         // since the table was to be read last
  bool lost_of_dump_ = false;                                 // since the present dump began
  std::map<std::uint64_t, std::vector<sync::Flow>> unknown_;  // by batch under way: flows to backends without a number
};

}  // namespace wsl4::flows
