#include "daemon/balance/port_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

namespace wsl4::balance {
namespace {

using netlink::IpAddress;

/// The counts behind a pool's AddressUse.
class Pool {
 public:
  explicit Pool(std::size_t addresses, PortRange ports = {})
      : ports_(ports), held_(addresses, std::vector<std::uint16_t>(kBlocksPerAddress)) {
    auto address = *IpAddress::parse("198.18.2.1");
    for (const auto& held : held_) {
      uses_.push_back({address, held});
      address = address.next();
    }
  }

  std::uint16_t& held(std::size_t address, std::size_t block) { return held_[address][block]; }
  AddressUse& use(std::size_t address) { return uses_[address]; }
  [[nodiscard]] std::size_t free(std::size_t address, std::size_t block) const {
    if (uses_[address].excluded || block < block_of(ports_.first) || block > block_of(ports_.last)) return 0;
    const auto [first, last] = ports_of(static_cast<std::uint16_t>(block), ports_);
    return static_cast<std::size_t>(std::max(0, last - first + 1 - held_[address][block]));
  }
  [[nodiscard]] PortDeal deal(std::span<const PortBlock> previous = {}) const { return deal_blocks(uses_, ports_, previous); }

  /// Slots per address and block.
  [[nodiscard]] std::map<std::pair<std::size_t, std::size_t>, std::size_t> dealt(const PortDeal& deal) const {
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> dealt;
    for (const auto& slot : deal.slots) {
      const auto use = std::ranges::find(uses_, slot.address, &AddressUse::address);
      ++dealt[{static_cast<std::size_t>(use - uses_.begin()), slot.number}];
    }
    return dealt;
  }

 private:
  PortRange ports_;
  std::vector<std::vector<std::uint16_t>> held_;
  std::vector<AddressUse> uses_;
};

std::size_t differing(const PortDeal& left, const PortDeal& right) {
  EXPECT_EQ(left.slots.size(), right.slots.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < left.slots.size(); ++i) count += left.slots[i] == right.slots[i] ? 0 : 1;
  return count;
}

TEST(PortBlocks, AreAlignedAndCutToThePool) {
  EXPECT_EQ(ports_of(0, {}), (PortRange{1, 127}));
  EXPECT_EQ(ports_of(1, {}), (PortRange{128, 255}));
  EXPECT_EQ(ports_of(511, {}), (PortRange{65408, 65535}));
  EXPECT_EQ(ports_of(7, {1000, 2000}), (PortRange{1000, 1023}));
  EXPECT_EQ(ports_of(15, {1000, 2000}), (PortRange{1920, 2000}));
  EXPECT_EQ(ports_of(7, {1000, 1000}), (PortRange{1000, 1000}));
}

TEST(PortBlocks, ThereAreNoMoreSlotsThanBlocks) {
  EXPECT_EQ(port_slots(1, {}), 512U);
  EXPECT_EQ(port_slots(4096, {}), 512U);
  EXPECT_EQ(port_slots(2, {1000, 2000}), 18U);
  EXPECT_EQ(port_slots(1, {1, 127}), 1U);
}

TEST(PortBlocks, EveryBlockOfOneEmptyAddressGetsASlot) {
  const Pool pool(1);
  const auto deal = pool.deal();
  EXPECT_EQ(deal.free, 65535U);
  EXPECT_EQ(pool.dealt(deal).size(), 512U);
  EXPECT_EQ(deal.lasts, 512U * 127);
}

TEST(PortBlocks, AddressesTakeTurns) {
  const Pool pool(16);
  const auto deal = pool.deal();
  std::map<IpAddress, std::size_t> all;
  for (const auto& slot : deal.slots) ++all[slot.address];
  EXPECT_EQ(all.size(), 16U);
  for (const auto& [address, slots] : all) EXPECT_EQ(slots, 32U) << address.to_string();
  for (std::size_t first = 0; first < 512; first += 64) {
    std::map<IpAddress, std::size_t> part;
    for (std::size_t i = first; i < first + 64; ++i) ++part[deal.slots[i].address];
    for (const auto& [address, slots] : part) EXPECT_THAT(slots, testing::AllOf(testing::Ge(3U), testing::Le(5U)));
  }
}

TEST(PortBlocks, AnEmptierAddressGetsMore) {
  Pool pool(2);
  for (std::size_t block = 0; block < kBlocksPerAddress; ++block) pool.held(0, block) = 96;
  const auto deal = pool.deal();
  const auto emptier = std::ranges::count(deal.slots, pool.use(1).address, &PortBlock::address);
  EXPECT_NEAR(static_cast<double>(emptier), 512 * 0.8, 1.5);
}

TEST(PortBlocks, AnExcludedAddressGetsNothing) {
  Pool pool(2);
  pool.use(0).excluded = true;
  const auto deal = pool.deal();
  EXPECT_EQ(deal.free, 65535U);
  EXPECT_EQ(deal.slots.size(), 512U);
  EXPECT_EQ(std::ranges::count(deal.slots, pool.use(0).address, &PortBlock::address), 0);
}

TEST(PortBlocks, AFullPoolIsDealtToNobody) {
  Pool pool(1, {1024, 1279});
  pool.held(0, 8) = 128;
  pool.held(0, 9) = 130;  // a late event
  const auto deal = pool.deal();
  EXPECT_TRUE(deal.slots.empty());
  EXPECT_EQ(deal.free, 0U);
}

TEST(PortBlocks, TheLastFreePortGetsAllSlots) {
  Pool pool(1, {1024, 1279});
  pool.held(0, 8) = 128;
  pool.held(0, 9) = 127;
  const auto deal = pool.deal();
  EXPECT_THAT(deal.slots, testing::Each(PortBlock{pool.use(0).address, 9}));
  EXPECT_EQ(deal.slots.size(), 2U);
  EXPECT_EQ(deal.lasts, 0U);
}

TEST(PortBlocks, SlotsOfPreviousPoolsAreForgotten) {
  Pool pool(1, {1024, 2047});
  const std::vector<PortBlock> previous{{*IpAddress::parse("198.18.9.9"), 8}, {pool.use(0).address, 3}, {pool.use(0).address, 9}};
  const auto deal = pool.deal(previous);
  EXPECT_EQ(pool.dealt(deal).size(), 8U);
  EXPECT_EQ(deal.slots[2], previous[2]);
}

TEST(PortBlocks, ABlockThatMustGiveUpASlotGivesUpAllUntilTheNextDeal) {
  Pool pool(1, {1024, 1535});
  const auto slots_with_free = [&](const std::array<int, 4>& free, PortDeal& deal) {
    for (std::size_t i = 0; i < free.size(); ++i) pool.held(0, 8 + i) = static_cast<std::uint16_t>(128 - free[i]);
    deal = pool.deal(deal.slots);
    auto dealt = pool.dealt(deal);
    return std::array{dealt[{0, 8}], dealt[{0, 9}], dealt[{0, 10}], dealt[{0, 11}]};
  };
  PortDeal deal;
  EXPECT_THAT(slots_with_free({4, 2, 2, 0}, deal), testing::ElementsAre(2, 1, 1, 0));
  EXPECT_THAT(slots_with_free({1, 2, 2, 0}, deal), testing::ElementsAre(0, 2, 2, 0));
  EXPECT_THAT(slots_with_free({1, 0, 2, 1}, deal), testing::ElementsAre(1, 0, 2, 1));
}

TEST(PortBlocks, WithoutNewsNothingChanges) {
  Pool pool(3);
  std::mt19937 generator(1);
  for (std::size_t address = 0; address < 3; ++address)
    for (std::size_t block = 0; block < kBlocksPerAddress; ++block)
      pool.held(address, block) = static_cast<std::uint16_t>(100 + generator() % 29);
  const auto first = pool.deal();
  EXPECT_EQ(differing(first, pool.deal(first.slots)), 0U);
}

/// In a pool of many blocks those that have slots are the emptiest, but not for long.
TEST(PortBlocks, SlotsStayWhileTheirBlocksHaveHalfOfWhatOthersHave) {
  Pool pool(4);
  auto deal = pool.deal();
  std::size_t changed = 0;
  for (int round = 0; round < 60; ++round) {
    for (const auto& [place, slots] : pool.dealt(deal)) pool.held(place.first, place.second) += 1;
    auto next = pool.deal(deal.slots);
    changed += differing(deal, next);
    deal = std::move(next);
  }
  EXPECT_EQ(changed, 0U);
  for (const auto& [place, slots] : pool.dealt(deal)) pool.held(place.first, place.second) += 5;
  EXPECT_EQ(differing(deal, pool.deal(deal.slots)), 512U);
}

/// A pool of any shape, and what may happen to it.
class AnyPool {
 public:
  explicit AnyPool(unsigned seed) : generator_(seed) {}

  std::size_t addresses() { return 1U + random(6); }
  PortRange ports() {
    if (random(2) == 0) return {};
    const auto first = static_cast<std::uint16_t>(1 + random(65000));
    return {first, static_cast<std::uint16_t>(first + random(65536U - first))};
  }
  void change(Pool& pool, std::size_t addresses) {
    const unsigned spread = 1U << random(8), least = 129 - spread;  // mostly nearly full
    for (std::size_t address = 0; address < addresses; ++address) {
      pool.use(address).excluded = random(5) == 0;
      for (std::size_t block = 0; block < kBlocksPerAddress; ++block)
        if (random(3) == 0) pool.held(address, block) = static_cast<std::uint16_t>(least + random(spread));
    }
  }

 private:
  std::uint16_t random(unsigned below) { return static_cast<std::uint16_t>(generator_() % below); }

  std::mt19937 generator_;
};

void expect_fair(const Pool& pool, std::size_t addresses, const PortDeal& deal, PortRange ports) {
  std::size_t free = 0, without = 0, beyond = 0;
  std::vector<std::size_t> free_at(addresses), slots_at(addresses);
  auto dealt = pool.dealt(deal);
  for (std::size_t address = 0; address < addresses; ++address) {
    for (std::size_t block = 0; block < kBlocksPerAddress; ++block) {
      const auto room = pool.free(address, block), slots = dealt[{address, block}];
      free_at[address] += room;
      slots_at[address] += slots;
      if (slots > room) ++beyond;
      if (slots < room) ++without;
      EXPECT_TRUE(room > 0 || slots == 0) << "a full block has slots";
      EXPECT_LE(slots * (deal.lasts / std::max<std::size_t>(1, deal.slots.size())), room);
    }
    free += free_at[address];
  }
  EXPECT_TRUE(beyond == 0 || without == 0) << beyond << " blocks have more slots than ports, " << without << " less";
  EXPECT_EQ(deal.free, free);
  EXPECT_EQ(deal.slots.size(), free == 0 ? 0 : port_slots(addresses, ports));
  for (std::size_t address = 0; address < addresses && free > 0; ++address)
    EXPECT_GE(slots_at[address], deal.slots.size() * free_at[address] / free) << "address " << address << " has too few";
}

TEST(PortBlocks, AnyPoolIsDealtFairly) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    AnyPool any(seed);
    const auto addresses = any.addresses();
    const auto ports = any.ports();
    Pool pool(addresses, ports);
    PortDeal deal;
    for (int round = 0; round < 5; ++round) {
      any.change(pool, addresses);
      auto next = pool.deal(deal.slots);
      EXPECT_EQ(next.slots, pool.deal(deal.slots).slots) << "not the same twice";
      expect_fair(pool, addresses, next, ports);
      deal = std::move(next);
    }
  }
}

}  // namespace
}  // namespace wsl4::balance
