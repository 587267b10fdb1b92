// How many flows to end now: the pace of draining and of rebalancing. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/balance/least_connections.h"

namespace wsl4::balance {

/// So many a second, evenly: what has been promised and not yet taken is kept, but never more than a quarter of a second's worth
/// (or two), so that a pause is not made good in one burst.
class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Pace(double per_second, Time now) : per_second_(per_second), last_(now) {}

  /// How many are due by now, at most `wanted`; they count as taken.
  std::uint64_t take(Time now, std::uint64_t wanted);
  [[nodiscard]] double per_second() const { return per_second_; }

 private:
  double per_second_;
  Time last_;
  double due_ = 0;
};

/// What each backend has above its fair part (by weight, of all flows on backends that have one, and as far as the others have room
/// for theirs), less a margin of 1 % of that part: moving those would gain nothing and cost reconnects.
[[nodiscard]] std::vector<std::uint64_t> surplus(std::span<const Load> loads);

/// Divides `number` among the surpluses, in proportion; the sum is at most that of the surpluses.
[[nodiscard]] std::vector<std::uint64_t> divide(std::uint64_t number, std::span<const std::uint64_t> surpluses);

}  // namespace wsl4::balance
