// The kernel thread: rules and conntrack. A netlink send does its work inside the call, so nothing else may live here that has to
// be in time. The control thread calls `open` and `bring_up` before the thread runs, and asks through util::ask afterwards.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/balance/emptying.h"
#include "daemon/dataplane/applier.h"
#include "daemon/flows/collector.h"
#include "daemon/flows/replicator.h"
#include "daemon/health/suspicion.h"
#include "daemon/runtime/balancer.h"
#include "daemon/runtime/evictions.h"
#include "daemon/runtime/paced_timer.h"
#include "daemon/runtime/port_balancer.h"
#include "daemon/runtime/pulse.h"
#include "netlink/conntrack/conntrack.h"
#include "netlink/nft/nftables.h"
#include "netlink/tcp_probe.h"

namespace wsl4::runtime {

/// Everything that status shows of the kernel, copied at one moment.
struct KernelCounts {
  boost::unordered_flat_map<service::BackendId, flows::BackendCount> backends;
  boost::unordered_flat_map<service::BackendId, double> rates;
  boost::unordered_flat_map<service::BackendId, double> shares;             // of the new flows of its service and family, 0-1
  boost::unordered_flat_map<service::BackendId, std::uint64_t> free_ports;  // of backends that are near the end
  std::map<service::BackendId, balance::Emptying> emptying;                 // of those that get no new flows
  std::map<std::string, std::chrono::seconds> full_in;                      // by service, where it can be foreseen
  std::vector<flows::PairCount> pairs;
  std::map<std::string, netlink::nft::CounterValue> counters;  // named counters of the table
  flows::CollectorStats collector;
  bool ruleset_in_sync = false;
  std::uint64_t ruleset_repairs = 0;
};

/// A number that flows bear, and where the first of them goes: enough to know the backend again when the table has gone.
struct BorneNumber {
  service::BackendId id = 0;
  netlink::Protocol protocol = netlink::Protocol::kTcp;
  netlink::Endpoint vip, backend;
};

/// All are called on the kernel thread.
struct KernelCallbacks {
  std::function<void(std::string detail)> on_repaired;
  std::function<void()> on_overrun;
  Evictions::OnEnd on_rebalanced;
  /// Of a pair's node: flows are copied. Its `look` is the worker's own.
  std::optional<flows::Replicator::Callbacks> replication;
};

class KernelWorker {
 public:
  /// Opens the sockets: errors name what is missing (a capability, the conntrack module).
  /// `nothing`: a state without services, with what holds for all of them.
  static netlink::Result<std::unique_ptr<KernelWorker>> open(const service::DesiredState& nothing,
                                                             std::function<std::chrono::seconds()> established_timeout,
                                                             KernelCallbacks callbacks);
  ~KernelWorker();
  KernelWorker(const KernelWorker&) = delete;
  KernelWorker& operator=(const KernelWorker&) = delete;

  /// Before `adopt`. As Collector.
  void set_timeout_history(flows::TimeoutHistory history) { collector_.set_timeout_history(std::move(history)); }

  /// Before `run`: reads the kernel's table and counts the flows.
  netlink::Result<std::vector<dataplane::AdoptedBackend>> adopt();

  /// Before `run`, after `adopt`: the numbers that flows bear.
  netlink::Result<std::vector<BorneNumber>> borne_numbers();

  /// Starts the thread; `stop` (or destruction) ends it. The kernel's table stays.
  void run();
  void stop();
  [[nodiscard]] boost::asio::io_context& io() { return io_; }

  // On the kernel thread (or before `run`):
  /// From what was applied last; a change that fails leaves that in force.
  netlink::Result<dataplane::Applied> apply(const service::StateChange& change);
  /// Of a pair's node: whether it serves, and what becomes of packets of no flow. Before the first `apply` it is only noted.
  netlink::Result<void> set_gate(service::Gate gate);
  /// As the table that was adopted has it.
  [[nodiscard]] std::optional<service::Gate> found_gate() const { return applier_.found_gate(); }
  /// All that the kernel has told is with the observer when it returns.
  netlink::Result<void> catch_up();
  /// The node became active, or is it no more.
  void set_active(bool active);
  /// After the first `apply`, before `run`: flows bear marks that an earlier daemon has set within this mask.
  netlink::Result<void> rebook(std::uint32_t former_mask) { return collector_.rebook_now(former_mask); }
  /// As BackendNumbers.
  void set_gone(std::map<flows::BackendNumbers::Place, service::BackendId> gone) { numbers_.set_gone(std::move(gone)); }
  /// Only of a pair's node.
  [[nodiscard]] flows::Replicator& replicator() { return *replicator_; }
  [[nodiscard]] netlink::nft::Transaction preview(const service::StateChange& change);
  [[nodiscard]] KernelCounts counts();
  /// Of every TCP backend.
  [[nodiscard]] std::map<service::BackendId, health::Openings> openings();
  [[nodiscard]] Evictions& evictions() { return evictions_; }
  /// So many flows of the backend are about to come back together: its service is dealt for that.
  void expect(service::BackendId backend, std::uint64_t flows) { balancer_.expect(backend, flows); }
  [[nodiscard]] const flows::Collector& collector() const { return collector_; }
  [[nodiscard]] balance::LiveCount live_count(service::BackendId backend) const;
  /// Passes every flow of ours that the kernel has to `sink`, until it returns false.
  boost::asio::awaitable<netlink::Result<void>> visit_flows(std::function<bool(const netlink::conntrack::Flow&)> sink);

  /// From any thread: whether the kernel thread turned lately, or is at a commit that may take so long.
  [[nodiscard]] bool is_alive() const { return pulse_.is_alive(Pulse::Clock::now()); }

 private:
  /// The sockets, all open.
  struct Parts {
    std::unique_ptr<netlink::nft::KernelNftables> nftables;
    std::unique_ptr<netlink::conntrack::KernelConntrack> conntrack;
    std::unique_ptr<netlink::conntrack::EventSource> events;
    std::unique_ptr<netlink::TcpProber> prober;
  };

  KernelWorker(const service::DesiredState& nothing, Parts parts, std::function<std::chrono::seconds()> established_timeout,
               KernelCallbacks callbacks);
  [[nodiscard]] std::unique_ptr<flows::Replicator> make_replicator();
  void follow(const service::StateChange& change);
  void settle_evictions();
  void listen();
  void count_copies();
  netlink::Result<void> open_monitor();
  void watch_table();
  void repair();
  void failed(const netlink::Error& error);
  void beat();
  void watch_unseen();
  [[nodiscard]] service::StateChange with_ports(service::StateChange change) const;
  [[nodiscard]] service::StateChange deal(service::StateChange change);
  [[nodiscard]] std::size_t services_looked_at(const service::StateChange& change) const;
  void begin_long_work(std::size_t services);

  const service::MarkLayout mark_;
  KernelCallbacks callbacks_;
  boost::asio::io_context io_{1};
  Parts parts_;
  flows::FlowEnder ender_;
  flows::BackendNumbers numbers_;
  std::unique_ptr<flows::Replicator> replicator_;  // none of a single node
  flows::Collector collector_;
  dataplane::Applier applier_;
  Balancer balancer_;
  PortBalancer ports_;
  Evictions evictions_;
  bool applied_ = false, standby_ = false;
  bool active_;                // a pair's node is not before it has the role
  PacedTimer copies_counted_;  // a standby's shares are needed when it serves, and then dealt anew at once
  std::uint64_t clashes_ = 0;  // of the injector, as they were last looked at
  Evictions::Rates drains_;    // of wanted_
  std::map<service::BackendId, balance::Emptying> emptying_;  // likewise
  service::DesiredState wanted_;                              // what was applied last, before its slots were dealt
  std::optional<netlink::nft::Monitor> monitor_;              // of a table that is not owned: others can change it
  boost::asio::posix::stream_descriptor monitor_fd_;
  boost::asio::steady_timer beat_timer_, repair_timer_;
  std::uint64_t repairs_ = 0;
  bool foreign_ = false;                    // what is to be repaired is not our own doing
  std::chrono::milliseconds repair_pause_;  // after a failure
  std::string repair_failure_;              // the last one told
  Pulse pulse_;
  std::jthread thread_;
};

}  // namespace wsl4::runtime
