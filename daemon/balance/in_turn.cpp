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

/// Smooth weighted round robin: in each step everybody gains its count, the richest one takes the slot and pays the total.
Slots interleaved(const Counts& counts) {
  const auto total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  Counts credit(counts.size());
  Slots slots;
  slots.reserve(static_cast<std::size_t>(total));
  for (std::int64_t step = 0; step < total; ++step) {
    for (std::size_t i = 0; i < counts.size(); ++i) credit[i] += counts[i];
    const auto richest = std::ranges::max_element(credit);
    *richest -= total;
    slots.push_back(static_cast<std::uint32_t>(richest - credit.begin()));
  }
  return slots;
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
  if (sum / divisor > static_cast<std::int64_t>(kMaxCountedSlots)) return interleaved(rounded(counts, sum));
  for (auto& count : counts) count /= divisor;
  return interleaved(counts);
}

Slots interleave(std::span<const int> counts) { return interleaved({counts.begin(), counts.end()}); }

}  // namespace wsl4::balance
