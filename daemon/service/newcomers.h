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
  Newcomers() = default;
  /// `serving`: backends that the kernel's table knew at the start; only those in `starting` are newcomers. Where there was no
  /// table nobody is one: all begin together.
  Newcomers(const std::vector<std::pair<std::string, netlink::Endpoint>>& serving, const std::vector<Newcomer>& starting);

  /// Sets `serving_since` of every backend of services with a slow start. One that takes flows now and did not after the last call
  /// is a newcomer since `now`.
  void update(DesiredState& state, WallTime now);

  /// Those whose slow start was not over at the last update, sorted.
  [[nodiscard]] std::vector<Newcomer> starting() const;

 private:
  using Key = std::pair<std::string, netlink::Endpoint>;  // service, address
  bool begin_together_ = true;
  std::set<Key> serving_;
  std::map<Key, WallTime> starting_;
};

}  // namespace wsl4::service
