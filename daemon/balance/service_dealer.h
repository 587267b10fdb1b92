// One service's deals: from what is wanted of it and the live counts to the slots of its maps. Pure.
//
// With scheduler least-connections the slots are dealt by live counts. With the others the slots follow from the weights, and the
// counts only take a backend out that has reached its max_connections or has no free port left.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "daemon/balance/deal_clock.h"
#include "daemon/balance/least_connections.h"
#include "daemon/service/desired_state.h"

namespace wsl4::balance {

/// What is known of one backend at one moment.
struct LiveCount {
  std::uint64_t connections = 0;            // established flows
  std::uint64_t started = 0;                // flows that became established since the daemon started
  std::optional<std::uint64_t> free_ports;  // towards it, on all pool addresses; none: not near the end
};
/// Flows that a backend may take until it is full; none: it is never full. A limit of 0 is none.
[[nodiscard]] std::optional<std::uint64_t> room_of(std::uint64_t max_connections, const LiveCount& count);
using LiveCounts = std::function<LiveCount(service::BackendId)>;

class ServiceDealer {
 public:
  using TimePoint = DealClock::TimePoint;
  using WallTime = service::WallTime;

  /// Of a service that the kernel does not know yet, or of the one that it has.
  void want(service::ServiceState wanted, const LiveCounts& counts, TimePoint now);
  [[nodiscard]] const service::ServiceState& wanted() const { return wanted_; }

  /// Counts of its backends have changed. Where one that has slots is full now, or one that is needed has room again, it is urgent.
  void observe(const LiveCounts& counts, TimePoint now);
  /// So many flows are about to come back together.
  void expect(std::uint64_t flows, TimePoint now);

  /// When it is to be dealt again; none while the last deal holds.
  [[nodiscard]] std::optional<TimePoint> due() const;

  /// The wanted service with its slots dealt.
  service::ServiceState deal(const LiveCounts& counts, TimePoint now, WallTime wall);
  /// The last deal is not in effect.
  void deal_again();

 private:
  /// The backends of one family, which are dealt on their own.
  struct Deal {
    DealClock clock;
    std::set<service::BackendId> dealt;  // those that have slots
    bool refuses = false;                // slots that nobody may take
    bool full = false;                   // why, or why it did last: all are full, else there is none
    std::uint64_t started = 0;
    std::optional<std::uint64_t> free;  // of the tightest backend that still gets flows
  };

  [[nodiscard]] std::uint64_t started_of(netlink::Family family, const LiveCounts& counts) const;
  [[nodiscard]] bool is_urgent(netlink::Family family, const Deal& deal, const LiveCounts& counts) const;
  void deal_by_counts(service::ServiceState& service, netlink::Family family, Deal& deal, const LiveCounts& counts, TimePoint now,
                      WallTime wall);
  void deal_by_weights(service::ServiceState& service, netlink::Family family, Deal& deal, const LiveCounts& counts, TimePoint now,
                       WallTime wall);

  service::ServiceState wanted_;
  std::map<netlink::Family, Deal> deals_;
  std::set<service::BackendId> full_;  // by weights only: out until there is some room again
};

}  // namespace wsl4::balance
