// Which backend a new client should use (`wsl4ctl pick`): the one with the fewest connections for its weight. A pick counts as a
// connection for a while, until it can be seen as one, so that a burst of picks spreads. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "netlink/ip.h"

namespace wsl4::runtime {

struct PickCandidate {
  netlink::Endpoint address;
  std::uint64_t connections = 0;
  int weight = 0;                     // 0: takes no new clients
  std::optional<std::uint64_t> room;  // none: never full
};

class Picks {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// For so long a pick counts; a client connects within seconds or not at all.
  static constexpr std::chrono::seconds kLifetime{5};

  /// The index of the best candidate of the service; none if nobody has room. Equal ones take turns.
  std::optional<std::size_t> pick(const std::string& service, std::span<const PickCandidate> candidates, TimePoint now);

 private:
  using Key = std::pair<std::string, netlink::Endpoint>;  // service, address
  void forget_oldest();

  std::deque<Key> picks_;  // oldest first
  std::deque<TimePoint> times_;
  std::map<Key, std::uint64_t> pending_;
};

}  // namespace wsl4::runtime
