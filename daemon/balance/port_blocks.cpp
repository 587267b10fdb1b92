#include "daemon/balance/port_blocks.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <unordered_map>

namespace wsl4::balance {
namespace {

using PortCounts = std::vector<std::uint64_t>;

std::uint64_t sum(const PortCounts& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

std::size_t blocks_in(PortRange ports) { return block_of(ports.last) - block_of(ports.first) + 1U; }

/// Free ports per block, from the pool's first block on.
PortCounts free_in_blocks(const AddressUse& use, PortRange ports) {
  PortCounts free(use.excluded ? 0 : blocks_in(ports));
  const auto first = block_of(ports.first);
  for (std::size_t i = 0; i < free.size(); ++i) {
    const auto block = static_cast<std::uint16_t>(first + i);
    const auto [low, high] = ports_of(block, ports);
    const auto size = high - low + 1U;
    // More than the block's ports are held for a moment when a port's next flow is heard of before the last one's end.
    free[i] = use.held.empty() ? size : size - std::min<unsigned>(size, use.held[block]);
  }
  return free;
}

struct Bid {
  double price;
  std::size_t bidder;
  friend bool operator<(const Bid& left, const Bid& right) {
    return left.price != right.price ? left.price < right.price : left.bidder > right.bidder;
  }
};

/// Slots for bidders with so much room. Each slot goes to the highest bid, which is the room that each of the bidder's slots would
/// have, with that one; for a slot that the bidder holds it counts twice. Good bids come first: at least one port for each slot,
/// and no less room than slots held.
PortCounts auction(const PortCounts& room, const PortCounts& held, std::size_t slots) {
  PortCounts won(room.size());
  const auto bid = [&](std::size_t bidder) {
    const auto price = static_cast<double>(room[bidder]) / static_cast<double>(won[bidder] + 1);
    if (price < 1 || room[bidder] < held[bidder]) return Bid{price, bidder};
    return Bid{kBlockPorts + (won[bidder] < held[bidder] ? 2 * price : price), bidder};
  };
  std::vector<Bid> first;
  for (std::size_t bidder = 0; bidder < room.size(); ++bidder)
    if (room[bidder] > 0) first.push_back(bid(bidder));
  if (first.size() > slots) {  // no other can win: everybody's first bid is the highest
    std::ranges::nth_element(first, first.begin() + static_cast<std::ptrdiff_t>(slots), [](auto& a, auto& b) { return b < a; });
    first.resize(slots);
  }
  std::priority_queue bids(std::less<Bid>{}, std::move(first));
  for (; slots > 0 && !bids.empty(); --slots) {
    const auto bidder = bids.top().bidder;
    bids.pop();
    ++won[bidder];
    bids.push(bid(bidder));
  }
  return won;
}

class Dealer {
 public:
  Dealer(std::span<const AddressUse> pool, PortRange ports, std::span<const PortBlock> previous)
      : pool_(pool), ports_(ports), previous_(previous), slots_(port_slots(pool.size(), ports)), vacant_(slots_.size(), true) {}

  PortDeal deal() && {
    PortCounts free;
    for (const auto& use : pool_) free.push_back(sum(free_in_blocks(use, ports_)));
    const auto total = sum(free);
    if (total == 0) return {};
    const auto shares = auction(free, PortCounts(free.size()), slots_.size());
    const auto places = previous_places();
    for (std::size_t i = 0; i < shares.size(); ++i)
      if (shares[i] > 0) deal_address(pool_[i], shares[i], places[i]);
    place_newcomers();
    return {std::move(slots_), total, vacant_.size() * cycles_};
  }

 private:
  /// For each address the slots that it had.
  [[nodiscard]] std::vector<std::vector<std::size_t>> previous_places() const {
    std::unordered_map<netlink::IpAddress, std::size_t> index;
    for (std::size_t i = 0; i < pool_.size(); ++i) index.emplace(pool_[i].address, i);
    std::vector<std::vector<std::size_t>> places(pool_.size());
    for (std::size_t slot = 0; slot < std::min(previous_.size(), slots_.size()); ++slot) {
      const auto address = index.find(previous_[slot].address);
      const auto block = previous_[slot].number;
      if (address == index.end() || block < block_of(ports_.first) || block > block_of(ports_.last)) continue;
      places[address->second].push_back(slot);
    }
    return places;
  }

  void deal_address(const AddressUse& use, std::uint64_t share, const std::vector<std::size_t>& places) {
    const auto first = block_of(ports_.first);
    const auto room = free_in_blocks(use, ports_);
    PortCounts held(room.size());
    for (const auto slot : places) ++held[previous_[slot].number - std::size_t{first}];
    auto won = auction(room, held, share);
    for (std::size_t i = 0; i < won.size(); ++i)
      if (won[i] > 0) cycles_ = std::min(cycles_, room[i] / won[i]);
    for (const auto slot : places) {
      auto& left = won[previous_[slot].number - std::size_t{first}];
      if (left == 0) continue;
      --left;
      slots_[slot] = previous_[slot];
      vacant_[slot] = false;
    }
    for (std::size_t i = 0; i < won.size(); ++i) add_newcomer({use.address, static_cast<std::uint16_t>(first + i)}, won[i]);
  }

  /// Slots of one block lie evenly over the cycle, blocks that follow each other (those of one address) far apart: multiples of the
  /// golden ratio, of which every run is spread evenly.
  void add_newcomer(const PortBlock& block, std::uint64_t slots) {
    for (std::uint64_t i = 0; i < slots; ++i) newcomers_.push_back({((i << 32) + phase_) / slots, block});
    if (slots > 0) phase_ += 0x9e3779b9;
  }

  void place_newcomers() {
    std::ranges::stable_sort(newcomers_, {}, &Newcomer::place);
    auto next = newcomers_.begin();
    for (std::size_t slot = 0; slot < slots_.size(); ++slot)
      if (vacant_[slot]) slots_[slot] = (next++)->block;
  }

  struct Newcomer {
    std::uint64_t place;  // in the cycle, of 2^32
    PortBlock block;
  };

  std::span<const AddressUse> pool_;
  PortRange ports_;
  std::span<const PortBlock> previous_;
  std::vector<PortBlock> slots_;
  std::vector<bool> vacant_;
  std::vector<Newcomer> newcomers_;
  std::uint32_t phase_ = 0;
  std::uint64_t cycles_ = kBlockPorts;  // through all slots, that no block refuses
};

}  // namespace

PortRange ports_of(std::uint16_t block, PortRange pool) {
  const unsigned low = block * kBlockPorts;
  return {std::max(pool.first, static_cast<std::uint16_t>(low)),
          std::min(pool.last, static_cast<std::uint16_t>(low + kBlockPorts - 1))};
}

std::size_t port_slots(std::size_t addresses, PortRange ports) { return std::min(kPortSlots, addresses * blocks_in(ports)); }

PortDeal deal_blocks(std::span<const AddressUse> pool, PortRange ports, std::span<const PortBlock> previous) {
  return Dealer(pool, ports, previous).deal();
}

}  // namespace wsl4::balance
