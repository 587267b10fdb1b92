#include "tests/sim/ports/steered.h"

#include <algorithm>
#include <array>

namespace wsl4::sim {

namespace {

constexpr unsigned kDelay = 20;            // ms, the latest event
constexpr double kMostArrivals = 100'000;  // a second, that the kernel can do

netlink::IpAddress pool_address(std::size_t index) {
  const std::array<std::uint8_t, 4> bytes{198, 18, static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)};
  return *netlink::IpAddress::from_bytes(bytes);
}

std::uint32_t index_of(const netlink::IpAddress& address) { return address.bytes()[2] * 256U + address.bytes()[3]; }

}  // namespace

Steered::Steered(Kernel& kernel, std::size_t addresses, std::uint32_t seed)
    : kernel_(kernel), generator_(seed), told_(1), held_(addresses, std::vector<std::uint16_t>(balance::kBlocksPerAddress)) {
  for (const auto& port : kernel.all()) ++held_[port.address][balance::block_of(port.number)];
  for (std::size_t i = 0; i < addresses; ++i) pool_.push_back({pool_address(i), held_[i]});
  deal();
}

void Steered::fill(std::size_t flows) {
  while (kernel_.flows() < flows)
    for (int arrivals = step(); arrivals > 0; --arrivals) arrive();
}

void Steered::churn(std::size_t arrivals) {
  const auto flows = kernel_.flows();
  for (const auto enough = figures_.arrivals + arrivals; figures_.arrivals < enough;)
    for (int now = step(); now > 0; --now) {
      arrive();
      if (kernel_.flows() > flows) tell(kernel_.end_random_flow(), false);
    }
}

void Steered::end(std::size_t flows) {
  for (; flows > 0; --flows) tell(kernel_.end_random_flow(), false);
}

int Steered::step() {
  ++age_.passed;
  hear(told_.front());
  told_.pop_front();
  if (told_.empty()) told_.emplace_back();
  if (balance::deal_is_due(deal_, age_)) deal();
  const auto free = static_cast<double>(kernel_.capacity() - kernel_.flows());
  return std::poisson_distribution(std::min(free, kMostArrivals) / 1000)(generator_);
}

void Steered::arrive() {
  ++figures_.arrivals;
  const auto& [address, block] = deal_.slots.at(counter_++ % deal_.slots.size());
  if (const auto port = kernel_.take_from_block(index_of(address), block))
    tell(*port, true);
  else
    ++figures_.refused;
}

void Steered::tell(Port port, bool begins) {
  const auto delay = std::max<std::size_t>(generator_() % (kDelay + 1), told_.size() - 1);
  told_.resize(delay + 1);
  told_.back().push_back({port, begins});
}

void Steered::hear(const std::vector<Event>& events) {
  for (const auto& [port, begins] : events) {
    auto& held = held_[port.address][balance::block_of(port.number)];
    held = static_cast<std::uint16_t>(begins ? held + 1 : held - 1);
    ++(begins ? age_.begun : age_.ended);
  }
}

void Steered::deal() {
  auto next = balance::deal_blocks(pool_, {}, deal_.slots);
  ++figures_.deals;
  for (std::size_t i = 0; i < next.slots.size(); ++i)
    figures_.changed_slots += i < deal_.slots.size() && next.slots[i] == deal_.slots[i] ? 0 : 1;
  deal_ = std::move(next);
  age_ = {};
}

}  // namespace wsl4::sim
