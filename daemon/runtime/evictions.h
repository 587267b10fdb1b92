// Ends flows on purpose: those of a backend that went down, of one that drains with eviction, and the surplus of over-full ones.
// Lives on the kernel thread; works in small pieces, so that events and commits have their turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/balance/eviction.h"
#include "daemon/flows/evictor.h"

namespace wsl4::runtime {

class Evictions {
 public:
  using Rates = std::map<service::BackendId, double>;  // flows per second
  using OnEnd = std::function<void(std::string service, std::string why)>;

  /// `connections` tells a backend's established flows; `on_end` is told of a rebalance that ended, unless somebody stopped it.
  Evictions(boost::asio::io_context& io, flows::Evictor evictor, std::function<std::uint64_t(service::BackendId)> connections,
            OnEnd on_end)
      : evictor_(std::move(evictor)), connections_(std::move(connections)), on_end_(std::move(on_end)), timer_(io), io_(io) {}

  /// Backends that drain with eviction, all of them; one that is not there (any more) is left alone.
  void set_drains(const Rates& rates);

  /// Ends all flows of a backend, as fast as it goes.
  void end_all(service::BackendId backend, flows::FlowEnder::Tell tell);

  /// Moves what the service's backends have above their fair part, so many flows a second over all of them, until all are even; a
  /// rate of 0 stops it. Returns the present surplus.
  std::uint64_t rebalance(const service::ServiceState& service, double per_second);
  /// Services that are being rebalanced end with their service, and go on with its present weights.
  void set_services(const std::map<std::string, service::ServiceState>& services);
  /// This node does not serve any more.
  void end_rebalances();

 private:
  using Clock = std::chrono::steady_clock;
  /// Clients of an address family come back to backends of that family only.
  struct Member {
    service::BackendId id = 0;
    netlink::Family family = netlink::Family::kIpv4;
    int weight = 0;
    std::uint64_t max_connections = 0;  // 0: no limit
    friend bool operator==(const Member&, const Member&) = default;
  };
  struct Rebalance {
    balance::Pace pace;
    std::vector<Member> members;
    std::map<service::BackendId, std::uint64_t> left;  // of the surplus at its begin: clients that stay away must not make it grow
  };
  using Rebalances = std::map<std::string, Rebalance>;

  [[nodiscard]] static std::vector<Member> members_of(const service::ServiceState& service);
  [[nodiscard]] std::vector<std::uint64_t> surplus_of(const std::vector<Member>& members) const;
  void forget(const Rebalance& rebalance);
  Rebalances::iterator end(Rebalances::iterator rebalance, const char* why);
  void wake(std::chrono::milliseconds pause);
  void tick();
  std::size_t evict(service::BackendId backend, std::uint64_t number);
  void step();

  flows::Evictor evictor_;
  std::function<std::uint64_t(service::BackendId)> connections_;
  OnEnd on_end_;
  boost::asio::steady_timer timer_;
  boost::asio::io_context& io_;
  bool waiting_ = false, stepping_ = false;
  std::map<service::BackendId, balance::Pace> drains_;
  Rebalances rebalances_;
};

}  // namespace wsl4::runtime
