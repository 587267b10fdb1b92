#include <numeric>

#include "daemon/balance/slots.h"

namespace wsl4::balance {

/// In each step everybody gains its count; the richest one takes the slot and pays the total.
Slots interleave(std::span<const std::int64_t> counts) {
  const auto total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  std::vector<std::int64_t> credit(counts.size());
  Slots slots;
  slots.reserve(static_cast<std::size_t>(total));
  for (std::int64_t step = 0; step < total; ++step) {
    std::uint32_t richest = 0;
    for (std::uint32_t i = 0; i < counts.size(); ++i) {
      credit[i] += counts[i];
      if (credit[i] > credit[richest]) richest = i;
    }
    credit[richest] -= total;
    slots.push_back(richest);
  }
  return slots;
}

}  // namespace wsl4::balance
