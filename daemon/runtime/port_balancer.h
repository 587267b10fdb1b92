// Decides for every backend whether the SNAT ports towards it are dealt in blocks, and deals them as flows come and go. Lives on
// the kernel thread.
//
// What is dealt stands in the applier's state (ServiceState::blocks). While there is any, the kernel is told every kBeat that
// somebody deals; once that ends, new flows use the whole range again.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/balance/port_policy.h"
#include "daemon/dataplane/applier.h"
#include "daemon/flows/flow_counter.h"
#include "daemon/flows/reaper.h"
#include "daemon/runtime/paced_timer.h"
#include "daemon/service/state_change.h"

namespace wsl4::runtime {

class PortBalancer {
 public:
  static constexpr std::chrono::milliseconds kBeat{500};

  struct Dependencies {
    dataplane::Applier& applier;
    flows::FlowCounter& counter;
    /// The service that the backend belongs to; nullptr: none that is known.
    std::function<const std::string*(service::BackendId)> service_of;
    /// The kernel refused new blocks; the old ones go on.
    std::function<void(const netlink::Error&)> on_failure;
    /// How many ports are free towards these backends is known anew, though none of their own flows may have begun or ended.
    std::function<void(const std::vector<service::BackendId>&)> on_room;
    /// Half-open flows count from now on, and nobody has told of those that are there.
    std::function<void()> look;
    /// Backends of which a pair is more than 85 % full.
    std::function<void(flows::Reaper::Backends)> on_tight;
  };

  PortBalancer(boost::asio::io_context& io, Dependencies dependencies);

  /// Services with blocks of these pools, by which they have to be dealt anew.
  [[nodiscard]] std::set<std::string> services_of(const service::StateChange::Pools& pools) const;
  /// Fills in `blocks` of each service of the change, for the applier to bring into the kernel; then call `applied`, or `dropped`
  /// if the change is not made. From now on `free_ports` goes by it. Costs what the change has, unless one of its pairs is near the
  /// end.
  void deal_all(service::StateChange& change);
  void applied();
  void dropped();

  void counts_changed();

  /// Towards the backend, on all addresses of its pool; none: not near the end.
  [[nodiscard]] std::optional<std::uint64_t> free_ports(service::BackendId backend) const;
  /// Until all pairs of pool address and backend of the service are full, at the present rate.
  [[nodiscard]] std::optional<std::chrono::seconds> full_in(const std::string& service) const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// A backend with its service and pool, in some state.
  struct Place {
    const service::ServiceState& service;
    const service::BackendState& backend;
    const service::PoolState& pool;
    [[nodiscard]] flows::BackendEndpoint endpoint() const { return {backend.address, service.protocol}; }
    [[nodiscard]] balance::PortRange ports() const { return {pool.port_min, pool.port_max}; }
  };
  struct Dealt {
    std::string service;
    flows::BackendEndpoint endpoint;
    balance::PortDeal deal;
    flows::Turnover turnover;  // at the deal
    TimePoint at;
  };
  /// What is on its way into the kernel: backends whose blocks go, and those that are dealt blocks.
  struct Planned {
    std::set<service::BackendId> gone;
    std::map<service::BackendId, Dealt> dealt;
  };
  struct Forecast {
    std::deque<balance::UseSample> samples;
    std::uint64_t capacity = 0;
  };

  [[nodiscard]] std::optional<Place> place_of(const service::DesiredState& state, service::BackendId id) const;
  [[nodiscard]] std::vector<std::pair<Place, const flows::PortUse*>> places_of(const std::vector<flows::PortUse>& uses) const;
  [[nodiscard]] static double fullest(const Place& place, const flows::PortUse& use);
  [[nodiscard]] const service::PoolState* pool_after(const service::StateChange& change, const std::string& name) const;
  [[nodiscard]] bool is_near_the_end(const service::StateChange& change) const;
  [[nodiscard]] std::vector<flows::PortUse> uses(const service::StateChange::Pools& changed) const;
  [[nodiscard]] Dealt deal(const Place& place, std::span<const balance::PortBlock> previous);
  [[nodiscard]] const Dealt* find(service::BackendId backend) const;
  [[nodiscard]] std::set<flows::BackendEndpoint> endpoints() const;
  void stop_watching(const std::map<service::BackendId, Dealt>& those);
  [[nodiscard]] balance::DealAge age_of(const Dealt& dealt, TimePoint now) const;
  [[nodiscard]] TimePoint next_look() const;
  [[nodiscard]] balance::PortMode mode_of(service::BackendId backend) const;
  void work(TimePoint now);
  void look_at_use(TimePoint now);
  void sample(const std::set<std::string>& services, TimePoint now);
  void deal_what_is_due(TimePoint now);
  void change(Planned planned);
  void beat(TimePoint now);

  Dependencies dependencies_;
  PacedTimer timer_;
  TimePoint looked_at_, beaten_at_, sampled_at_;
  std::chrono::steady_clock::duration look_took_{0};
  bool changed_ = false;
  std::map<service::BackendId, Dealt> dealt_;
  Planned planned_;
  boost::unordered_flat_map<service::BackendId, double> fullest_;  // at the last look
  flows::Reaper::Backends tight_;
  std::map<std::string, Forecast> forecasts_;
};

}  // namespace wsl4::runtime
