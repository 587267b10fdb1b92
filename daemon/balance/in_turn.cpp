#include <algorithm>
#include <numeric>

#include "daemon/balance/slots.h"

namespace wsl4::balance {
namespace {

using Counts = std::vector<std::int64_t>;
constexpr auto kTotal = static_cast<std::int64_t>(kMaxCountedSlots);

/// Shares of kMaxCountedSlots by largest remainder; a share below one slot counts as one.
Counts rounded(const Counts& weights, std::int64_t sum) {
  Counts counts(weights.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    counts[i] = weights[i] * kTotal / sum;
    if (counts[i] == 0)
      counts[i] = 1;
    else
      order.push_back(i);
  }
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return weights[i] * kTotal % sum; });
  auto left = kTotal - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (auto i = order.begin(); left > 0 && i != order.end(); ++i, --left) ++counts[*i];
  return counts;
}

}  // namespace

Slots deal_in_turn(std::span<const int> weights) {
  Counts counts;
  std::int64_t sum = 0, divisor = 0;
  for (const int weight : weights) {
    counts.push_back(std::max(weight, 0));
    sum += counts.back();
    divisor = std::gcd(divisor, counts.back());
  }
  if (sum == 0) return {};
  if (sum / divisor > static_cast<std::int64_t>(kMaxCountedSlots)) return interleave(rounded(counts, sum));
  for (auto& count : counts) count /= divisor;
  return interleave(counts);
}

}  // namespace wsl4::balance
