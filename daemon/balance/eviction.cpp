#include "daemon/balance/eviction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace wsl4::balance {

namespace {
constexpr double kBurst = 0.25;   // seconds
constexpr double kLeastKept = 2;  // one that is due, and what is promised of the next one
constexpr double kMargin = 0.01;
}  // namespace

std::uint64_t Pace::take(Time now, std::uint64_t wanted) {
  const std::chrono::duration<double> passed = now - last_;
  last_ = now;
  due_ = std::min(due_ + passed.count() * per_second_, std::max(kLeastKept, per_second_ * kBurst));
  const auto taken = std::min(wanted, static_cast<std::uint64_t>(due_));
  due_ -= static_cast<double>(taken);
  return taken;
}

std::vector<std::uint64_t> surplus(std::span<const Load> loads) {
  double flows = 0, weights = 0;
  std::vector<std::size_t> sharing;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (loads[i].weight <= 0) continue;
    flows += static_cast<double>(loads[i].connections);
    weights += loads[i].weight;
    sharing.push_back(i);
  }
  // Who has no room for its part keeps what it can have; the others share the rest, which may be too much for the next one.
  const auto cannot_hold = [&](std::size_t i) {
    const auto& load = loads[i];
    if (!load.room) return false;
    const auto most = static_cast<double>(load.connections + *load.room);
    if (flows * load.weight / weights <= most) return false;
    flows -= most;
    weights -= load.weight;
    return true;
  };
  while (std::erase_if(sharing, cannot_hold) > 0) continue;
  std::vector<std::uint64_t> result(loads.size());
  for (const auto i : sharing) {
    const auto fair = std::ceil(flows * loads[i].weight / weights * (1 + kMargin));
    const auto above = static_cast<double>(loads[i].connections) - fair;
    if (above > 0) result[i] = static_cast<std::uint64_t>(above);
  }
  return result;
}

std::vector<std::uint64_t> divide(std::uint64_t number, std::span<const std::uint64_t> surpluses) {
  std::vector<std::uint64_t> parts(surpluses.size());
  auto left = std::accumulate(surpluses.begin(), surpluses.end(), std::uint64_t{0});
  // What is left is dealt to those that are left: the rounding of one is made good by the next.
  for (std::size_t i = 0; i < parts.size() && left > 0 && number > 0; ++i) {
    const auto share = static_cast<double>(number) * static_cast<double>(surpluses[i]) / static_cast<double>(left);
    parts[i] = std::min({static_cast<std::uint64_t>(std::ceil(share)), surpluses[i], number});
    number -= parts[i];
    left -= surpluses[i];
  }
  return parts;
}

}  // namespace wsl4::balance
