#include "tests/sim/ports/kernel.h"

#include <utility>

namespace wsl4::sim {

Kernel::Kernel(std::size_t addresses, std::uint32_t seed) : generator_(seed), taken_(addresses, std::vector<char>(65536)) {}

std::optional<Port> Kernel::search(std::uint32_t address, balance::PortRange range, unsigned probes) {
  auto* taken = taken_[address].data();
  const unsigned size = range.last - range.first + 1U;
  auto port = range.first + random(size);
  for (; probes > 0; --probes) {
    if (taken[port] == 0) {
      taken[port] = 1;
      return flows_.emplace_back(Port{address, static_cast<std::uint16_t>(port)});
    }
    port = port == range.last ? range.first : port + 1;
  }
  return std::nullopt;
}

std::optional<Port> Kernel::take_from_block(std::uint32_t address, std::uint16_t block) {
  const auto range = balance::ports_of(block, {});
  return search(address, range, range.last - range.first + 1U);
}

std::optional<Port> Kernel::take_from_range(std::uint32_t address) {
  for (unsigned probes = 128; probes >= 8; probes /= 2)
    if (const auto port = search(address, {}, probes)) return port;
  return std::nullopt;
}

void Kernel::fill(std::size_t flows) {
  while (flows_.size() < flows) search(random(static_cast<std::uint32_t>(taken_.size())), {}, 1);
}

Port Kernel::end_random_flow() {
  auto& chosen = flows_[random(static_cast<std::uint32_t>(flows_.size()))];
  const auto port = std::exchange(chosen, flows_.back());
  flows_.pop_back();
  taken_[port.address][port.number] = 0;
  return port;
}

}  // namespace wsl4::sim
