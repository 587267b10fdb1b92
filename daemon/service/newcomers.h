// Since when a backend serves, for slow start: kept over restarts, so that a crash does not end it. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/service/desired_state.h"

namespace wsl4::service {

/// A backend whose share still grows.
struct Newcomer {
  std::string service;
  netlink::Endpoint address;
  WallTime since{};
  friend bool operator==(const Newcomer&, const Newcomer&) = default;
};

class Newcomers {
 public:
  /// What is known of one service: its backends that take flows, and which of them are newcomers since when.
  struct OfService {
    std::set<netlink::Endpoint> serving;
    std::map<netlink::Endpoint, WallTime> starting;
  };

  Newcomers() = default;
  /// `serving`: backends that the kernel's table knew at the start; only those in `starting` are newcomers. Where there was no
  /// table nobody is one: all begin together.
  Newcomers(const std::vector<std::pair<std::string, netlink::Endpoint>>& serving, const std::vector<Newcomer>& starting);

  /// Sets `serving_since` of every backend of a service with a slow start. One that takes flows now and did not before is a
  /// newcomer since `now`; so is one whose beginning is still to come, since the clock was set back.
  [[nodiscard]] OfService look_at(ServiceState& service, WallTime now) const;
  /// What was seen of these services is known from now on; the beginning is over.
  void accept(std::map<std::string, OfService> services);

  /// Those whose slow start was not over at the last look, sorted.
  [[nodiscard]] std::vector<Newcomer> starting() const;
  /// Their services.
  [[nodiscard]] const std::set<std::string>& services_with_starting() const { return with_starting_; }

 private:
  void keep(const std::string& service, OfService known);

  bool begin_together_ = true;
  std::map<std::string, OfService> services_;
  std::set<std::string> with_starting_;
};

}  // namespace wsl4::service
