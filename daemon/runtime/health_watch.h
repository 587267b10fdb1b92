// Health checks beside the rest of the daemon: what is to be checked follows from the configuration, verdicts become shares, and
// the flows of a backend that went down are ended where the service wants it. Control thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/health/all_down.h"
#include "daemon/health/scheduler.h"
#include "daemon/service/overlay.h"
#include "daemon/service/standing.h"

namespace wsl4::runtime {

/// A backend whose flows are to be ended.
struct Ending {
  std::string service;
  netlink::Endpoint backend;
  bool connects = false;  // it still takes connections: both ends are told
};

class HealthWatch {
 public:
  struct Hooks {
    std::function<void(const health::Status&)> on_change;
    std::function<bool(const netlink::IpAddress& source, const netlink::Endpoint& backend)> usable;
    /// All backends of a service failed together (contract: nothing is reset).
    std::function<void(const std::string& service)> on_all_down;
  };

  HealthWatch(boost::asio::io_context& io, Hooks hooks);

  /// Checks the backends of the service, as it is in effect, that are not disabled; from its pool's addresses.
  void watch(const config::Service& service, const std::vector<config::Pool>& pools, const service::Marks& marks);
  void forget(const std::string& service);
  /// Call it before `watch` of each service of another pool.
  void pools_changed() { sources_.clear(); }
  /// False: the pool's addresses are not this node's, so checks come from addresses of its own. Call it before `watch` of every
  /// service.
  void check_from_pool(bool from_pool) { from_pool_ = from_pool; }

  /// Has it checked soon: it looks as if it did not answer.
  void suspect(const std::string& service, const netlink::Endpoint& backend) { scheduler_.check_now(service, backend); }
  [[nodiscard]] bool watches_any() const { return !policies_.empty(); }

  [[nodiscard]] service::Verdicts verdicts(const std::string& service) const;
  /// Every service that is checked has a backend that is not down by this node's own checks.
  [[nodiscard]] bool is_healthy() const;
  [[nodiscard]] std::vector<health::Status> snapshot() const { return with_peers(scheduler_.snapshot()); }

  // Of a pair:
  /// For the peer, from the active.
  [[nodiscard]] health::PeerVerdicts findings() const;
  /// What the active found counts from now on; nullopt: this node's own checks do. Returns the services for which that may make a
  /// difference.
  std::set<std::string> follow(std::optional<health::PeerVerdicts> peers);
  [[nodiscard]] bool follows() const { return peers_.has_value(); }
  /// This node is the active one now, and checks from the pools: what counted until now goes on until its checks say otherwise.
  void take_over();

  /// Backends that are down since the last call, or for which it was open whose fault it is, and whose flows are to be ended; also
  /// those that stay down where all failed together and others are up again.
  std::vector<Ending> take_endings();
  /// It has not come to that: the next call returns it again, unless its backend is well by then.
  void give_back(const Ending& ending);
  [[nodiscard]] bool has_open_cases() const;

 private:
  using Key = std::pair<std::string, netlink::Endpoint>;
  struct Policy {
    config::OnBackendDown action = config::OnBackendDown::kAuto;
    config::Health health;
  };

  /// What its own checks know of one service's backends.
  struct Found {
    std::string service;
    std::vector<health::Standing> standings;
    std::map<netlink::Endpoint, std::size_t> places;                                            // in `standings`
    [[nodiscard]] const health::Standing* standing_of(const netlink::Endpoint& backend) const;  // nullptr: not checked any more
  };

  void changed(const health::Status& status);
  void note_recovery(const std::string& service);
  void look_at_others(const Found& found);
  void take_stayed_down(std::vector<Ending>& endings);
  /// But where the active found all backends of a service down: the fault may be its own, and this node's checks say more.
  [[nodiscard]] std::vector<health::Status> with_peers(std::vector<health::Status> statuses) const;
  [[nodiscard]] health::Sources sources_of(const config::Service& service, const std::vector<config::Pool>& pools,
                                           netlink::Family family);
  [[nodiscard]] Found find(const std::string& service) const;

  Hooks hooks_;
  health::Scheduler scheduler_;
  bool from_pool_ = true;
  std::optional<health::PeerVerdicts> peers_;
  std::map<std::string, Policy> policies_;                                      // by service
  std::map<std::pair<std::string, netlink::Family>, health::Sources> sources_;  // of a pool, shared by all that are checked from it
  std::set<Key> down_;                                                          // whose flows are not decided about yet
  std::map<Key, std::optional<health::TimePoint>> spared_;  // down together with all; since when another one is up again
};

}  // namespace wsl4::runtime
