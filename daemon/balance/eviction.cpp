#include "daemon/balance/eviction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace wsl4::balance {

namespace {
constexpr double kBurst = 0.25;  // seconds
constexpr double kMargin = 0.01;
}  // namespace

std::uint64_t Pace::take(Time now, std::uint64_t wanted) {
  const std::chrono::duration<double> passed = now - last_;
  last_ = now;
  due_ = std::min(due_ + passed.count() * per_second_, std::max(1.0, per_second_ * kBurst));
  const auto taken = std::min(wanted, static_cast<std::uint64_t>(due_));
  due_ -= static_cast<double>(taken);
  return taken;
}

std::vector<std::uint64_t> surplus(std::span<const Load> loads) {
  std::uint64_t flows = 0;
  double weights = 0;
  for (const auto& load : loads) {
    if (load.weight <= 0) continue;
    flows += load.connections;
    weights += load.weight;
  }
  std::vector<std::uint64_t> result(loads.size());
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (loads[i].weight <= 0) continue;
    const auto fair = std::ceil(static_cast<double>(flows) * loads[i].weight / weights * (1 + kMargin));
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
