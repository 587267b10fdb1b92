// Takes out the entries of flows that have closed, so that their ports are free at once: where ports run short. Lives on the kernel
// thread; every call does a bounded piece of work.
//
// An entry stays for up to two minutes after a flow's end (nf_conntrack_tcp_timeout_time_wait), and no event tells when a flow that
// began to close has closed: so it is looked at again, at first after 100 ms, then ever less often. Only entries in TIME_WAIT or
// CLOSE are taken out. What one end still sends then is answered with a reset by the guard.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "daemon/service/desired_state.h"
#include "netlink/conntrack/conntrack.h"

namespace wsl4::flows {

class Reaper {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Backends = boost::unordered_flat_set<service::BackendId>;

  /// Flows that close at the same time; of more, the rest is left to the kernel's timeouts and the next dump.
  static constexpr std::size_t kMostWaiting = 65'536;

  Reaper(netlink::conntrack::Conntrack& conntrack, service::MarkLayout mark) : conntrack_(conntrack), mark_(mark) {}

  /// Backends whose ports run short. Others' flows are not looked at.
  void set_backends(Backends backends) { backends_ = std::move(backends); }
  [[nodiscard]] const Backends& backends() const { return backends_; }

  /// A flow as an event or a dump shows it.
  void offer(const netlink::conntrack::Flow& flow, TimePoint now);
  /// When `step` has something to do; none: nothing waits.
  [[nodiscard]] std::optional<TimePoint> due() const;
  /// Looks at what is due and returns the entries that it took out.
  netlink::Result<std::vector<netlink::conntrack::Flow>> step(TimePoint now);

 private:
  struct Waiting {
    netlink::conntrack::Flow flow;
    std::chrono::milliseconds pause;  // until the look after the next one
  };

  netlink::conntrack::Conntrack& conntrack_;
  service::MarkLayout mark_;
  Backends backends_;
  std::multimap<TimePoint, Waiting> waiting_;       // by the time of the next look
  boost::unordered_flat_set<std::uint32_t> known_;  // conntrack ids of `waiting_`
};

}  // namespace wsl4::flows
