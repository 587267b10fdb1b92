// Keeps the flow counts true: listens to conntrack events, dumps the table at the start, after an overrun and now and then, and
// ends flows that have been idle for too long, or have closed where ports run short. Lives on the kernel thread; every wake-up does
// a bounded piece of work.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/flows/bridge.h"
#include "daemon/flows/flow_counter.h"
#include "daemon/flows/flow_ender.h"
#include "daemon/flows/idle.h"
#include "daemon/flows/observer.h"
#include "daemon/flows/reaper.h"
#include "netlink/conntrack/conntrack.h"

namespace wsl4::flows {

/// idle_timeout of each backend's service; a number that is not there never idles out.
using IdleTimeouts = boost::unordered_flat_map<service::BackendId, std::chrono::milliseconds>;

struct CollectorStats {
  std::uint64_t overruns = 0;    // times that events were lost
  std::uint64_t resyncs = 0;     // dumps completed
  std::uint64_t idle_ended = 0;  // flows ended because they were idle
  std::uint64_t reaped = 0;      // entries of closed flows taken out
  std::uint64_t errors = 0;
};

class Collector {
 public:
  struct Dependencies {
    netlink::conntrack::Conntrack& conntrack;
    std::unique_ptr<netlink::conntrack::EventSource> events;
    FlowEnder& ender;
    /// nf_conntrack_tcp_timeout_established as it is now.
    std::function<std::chrono::seconds()> established_timeout;
    /// Called at an overrun, at most every 10 s.
    std::function<void()> on_overrun;
    /// Called with the backends whose counts have changed, once per wake-up.
    std::function<void(const std::vector<service::BackendId>&)> on_counts;
    FlowObserver* observer = nullptr;         // may be none
    const BackendNumbers* numbers = nullptr;  // none: marks are always right
  };

  Collector(boost::asio::io_context& io, service::MarkLayout mark, Dependencies dependencies);

  /// The values that nf_conntrack_tcp_timeout_established has had, as far as they are known. Before `start`; what changes later is
  /// noticed with each step of a dump.
  void set_timeout_history(TimeoutHistory history) { timeouts_ = std::move(history); }

  /// Events are listened to already; this reads the whole table once, blocking, so that counts are right when it returns.
  netlink::Result<void> start();

  /// Of the backend's flows; 0: they are never idle. The next look comes as soon as the timeout wants it.
  void set_idle_timeout(service::BackendId backend, std::chrono::milliseconds timeout);

  /// Backends whose ports run short: entries of their closed flows are taken out.
  void set_tight(Reaper::Backends backends);
  /// Handles all events that wait, however many.
  netlink::Result<void> catch_up();
  /// What is done to the timers of established flows, as each dump shows them. kRun at first.
  enum class Timers : std::uint8_t {
    kRun,   // this node serves: idle flows end; a copy that no packet has used (bridge.h), and a flow whose timer tells nothing
            // (idle.h), get what the kernel's own would be
    kHold,  // it has copies only: none runs out, also not those that it served itself, or whose packets have come here
    kLeave  // which of the two is not known yet
  };
  void set_timers(Timers timers) { timers_ = timers; }
  /// Off: nothing is heard of flows, and whoever changes entries tells it here. On again, the table is read.
  void listen(bool on);
  [[nodiscard]] bool listening() const { return listening_; }
  /// An entry that was put into the kernel, or, while nothing is heard, taken out; its id does not matter. `tell_counts` after
  /// them. It counts, but did not begin here: it is in no rate.
  void put(const netlink::conntrack::Flow& flow);
  void erased(const netlink::conntrack::Flow& flow);
  void tell_counts();
  /// The next dump that begins looks whether each flow is marked as the number of its place has it, and puts that right: another
  /// service may listen at its VIP since it began. `former`: a mask of marks that an earlier daemon has set; those are replaced.
  void rebook(std::uint32_t former = 0);
  /// The same at once, blocking.
  netlink::Result<void> rebook_now(std::uint32_t former);
  /// Reads the table as soon as that does not cost more than a twentieth of the time.
  void look_soon();
  /// So many entries that nobody tells of (half-open flows, others') may come until the table is read.
  void set_unseen_limit(std::uint64_t entries) { unseen_limit_ = entries; }

  [[nodiscard]] const FlowCounter& counter() const { return counter_; }
  [[nodiscard]] FlowCounter& counter() { return counter_; }
  [[nodiscard]] const CollectorStats& stats() const { return stats_; }
  /// New established flows per second over the last 10 s.
  [[nodiscard]] double rate(service::BackendId id) const;

 private:
  void wait_for_events();
  void forget(const netlink::conntrack::Flow& flow);
  void on_events();
  void read_later(std::chrono::milliseconds delay);
  netlink::Result<netlink::conntrack::Drained> drain(std::size_t budget);
  void on_overrun();
  [[nodiscard]] std::chrono::milliseconds until_next_dump() const;
  void schedule_resync(std::chrono::milliseconds delay);
  void look_by(std::chrono::steady_clock::time_point at);
  void begin_resync();
  netlink::Result<bool> step();
  void look_at(const netlink::conntrack::Flow& flow, std::chrono::steady_clock::time_point now);
  [[nodiscard]] std::uint32_t right_mark(const netlink::conntrack::Flow& flow) const;
  void set_right_marks();
  netlink::Result<void> read_all();
  void judge_timer(const netlink::conntrack::Flow& flow, service::BackendId id, std::chrono::steady_clock::time_point now);
  void continue_resync();
  void tell_end(bool whole) const;
  void finish_resync();
  void end_idle();
  void failed(const char* what, const netlink::Error& error);
  void set_due_timers();
  void sample_rates();
  void look_for_unseen();
  void wait_to_reap();
  void reap();

  boost::asio::io_context& io_;
  Dependencies dependencies_;
  FlowCounter counter_;
  service::MarkLayout mark_;
  IdleTimeouts idle_timeouts_;
  CollectorStats stats_;
  boost::asio::posix::stream_descriptor event_fd_;
  boost::asio::steady_timer resync_timer_, event_timer_, rate_timer_, reap_timer_;
  std::unique_ptr<netlink::conntrack::Dump> dump_;
  std::chrono::steady_clock::time_point dump_began_, dump_ended_, resync_at_;
  std::chrono::nanoseconds dump_cost_{0};  // processor time of the dump under way: on a busy machine it takes much longer
  std::chrono::steady_clock::time_point overrun_told_ = std::chrono::steady_clock::time_point::min();
  LookCost last_dump_;
  TimeoutHistory timeouts_;
  Reaper reaper_;
  bool reaping_ = false;  // the timer runs
  Timers timers_ = Timers::kRun;
  bool listening_ = true;
  std::uint64_t unseen_limit_ = UINT64_MAX;
  bool dump_failed_ = false;   // a step of the present dump, or of the last one
  std::uint64_t foreign_ = 0;  // entries of others that the present dump, or the last one, has shown
  bool told_ = false,
       look_for_unseen_ = false;  // events came since the last sample of rates; the next ones are to be followed by a look
  bool resync_again_ = false;     // events were lost while a dump was running
  bool look_again_ = false;       // a look was asked for meanwhile
  std::vector<netlink::conntrack::Flow> due_;        // found by the present step: their timers are not as they should be
  std::vector<netlink::conntrack::Flow> idle_;       // found by the present step
  std::vector<netlink::conntrack::Flow> misbooked_;  // found by the present step, with the marks that they should have
  bool rebook_ = false, rebooking_ = false;          // with the next dump; with the present one
  std::uint32_t former_mask_ = 0;
  std::deque<boost::unordered_flat_map<service::BackendId, std::uint64_t>> started_samples_;  // one a second, newest last
};

}  // namespace wsl4::flows
