#include "daemon/service/desired_state.h"

#include <algorithm>
#include <bit>

namespace wsl4::service {

MarkLayout::MarkLayout(std::uint32_t mask)
    : mask_(mask), closing_bit_(std::bit_floor(mask)), shift_(static_cast<unsigned>(std::countr_zero(mask))) {}

double ServiceState::share_of(const BackendState& backend) const {
  const auto family = backend.address.address.family();
  if (const auto slots = dealt.find(family); slots != dealt.end() && !slots->second.empty()) {
    const auto its = std::ranges::count_if(slots->second,
                                           [&](auto place) { return place < backends.size() && backends[place].id == backend.id; });
    return static_cast<double>(its) / static_cast<double>(slots->second.size());
  }
  int weights = 0;
  for (const auto& other : backends)
    if (other.address.address.family() == family) weights += other.share_weight;
  return weights == 0 ? 0 : static_cast<double>(backend.share_weight) / weights;
}

std::uint32_t DesiredState::fewest_ports() const {
  std::uint32_t fewest = UINT16_MAX;
  for (const auto& [name, pool] : pools) fewest = std::min(fewest, pool.ports());
  return fewest;
}

}  // namespace wsl4::service
