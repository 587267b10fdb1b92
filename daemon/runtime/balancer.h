// Gives every service its shares by the live counts: deals again what has changed, a bounded number of services at a time, and
// hands the result to the applier. Lives on the kernel thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/balance/service_dealer.h"
#include "daemon/dataplane/applier.h"
#include "daemon/runtime/paced_timer.h"

namespace wsl4::runtime {

class Balancer {
 public:
  /// `on_failure` is called when the kernel refused new shares; the old ones go on.
  Balancer(boost::asio::io_context& io, dataplane::Applier& applier, balance::LiveCounts counts,
           std::function<void(const netlink::Error&)> on_failure);

  /// The change with the slots of its services dealt, for the applier to bring into the kernel. All others keep their deal.
  service::StateChange deal(service::StateChange change);
  /// That change is not made after all; this one has its services as they are. They are dealt again, since nobody saw their last
  /// deal.
  void take_back(const service::StateChange& present);

  /// Counts of these backends have changed.
  void counts_changed(const std::vector<service::BackendId>& backends);
  /// Whose backend it is, of what was dealt last; nullptr: nobody's.
  [[nodiscard]] const std::string* service_of(service::BackendId backend) const;
  /// All flows of the backend are about to come back to the service.
  void expect(service::BackendId backend, std::uint64_t flows);
  /// When it looks next which services are due; none: not until something changes.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> wakes_at() const { return timer_.due(); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Dealers = std::map<std::string, balance::ServiceDealer>;

  void forget(const std::string& service);
  balance::ServiceDealer* want(const std::string& name, const std::optional<service::ServiceState>& service, TimePoint now);
  void deal_what_is_due(TimePoint now);

  dataplane::Applier& applier_;
  balance::LiveCounts counts_;
  std::function<void(const netlink::Error&)> on_failure_;
  PacedTimer timer_;
  Dealers dealers_;
  boost::unordered_flat_map<service::BackendId, Dealers::value_type*> services_;  // which a backend belongs to
  std::set<std::string> pending_;                                                 // services that may be due
};

}  // namespace wsl4::runtime
