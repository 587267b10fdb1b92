#include "daemon/balance/least_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace wsl4::balance {
namespace {

using namespace std::chrono_literals;
using testing::DoubleNear;
using testing::ElementsAre;
using Loads = std::vector<Load>;

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

testing::Matcher<double> is(double value) { return DoubleNear(value, 1e-9); }

TEST(Shares, EqualBackendsGetEqualShares) {
  EXPECT_THAT(shares(Loads{{}, {}, {}, {}}, 1), ElementsAre(is(0.25), is(0.25), is(0.25), is(0.25)));
  EXPECT_THAT(shares(Loads{{20'000}, {20'000}}, 1000), ElementsAre(is(0.5), is(0.5)));
}

TEST(Shares, TheNextFlowGoesToTheEmptiestAlone) {
  EXPECT_THAT(shares(Loads{{7}, {5}, {6}}, 1), ElementsAre(is(0), is(1), is(0)));
  EXPECT_THAT(shares(Loads{{7}, {5}, {5}}, 1), ElementsAre(is(0), is(0.5), is(0.5)));
}

TEST(Shares, ABurstEndsLevel) {
  EXPECT_THAT(shares(Loads{{0}, {5}, {10}}, 5), ElementsAre(is(1), is(0), is(0)));
  EXPECT_THAT(shares(Loads{{0}, {5}, {10}}, 9), ElementsAre(is(7 / 9.0), is(2 / 9.0), is(0)));
  EXPECT_THAT(shares(Loads{{0}, {5}, {10}}, 30), ElementsAre(is(15 / 30.0), is(10 / 30.0), is(5 / 30.0)));
}

TEST(Shares, LevelIsPerWeight) {
  EXPECT_THAT(shares(Loads{{10, 100}, {20, 200}}, 6), ElementsAre(is(1 / 3.0), is(2 / 3.0)));
  EXPECT_THAT(shares(Loads{{10, 100}, {17, 200}}, 3), ElementsAre(is(0), is(1)));
}

TEST(Shares, WeightZeroGetsNothing) {
  EXPECT_THAT(shares(Loads{{0, 0}, {900}}, 10), ElementsAre(is(0), is(1)));
  EXPECT_THAT(shares(Loads{{0, 0}, {0, 0}}, 10), ElementsAre(is(0), is(0)));
  EXPECT_TRUE(shares({}, 10).empty());
}

TEST(Shares, WhatHasNoRoomGoesToTheOthers) {
  EXPECT_THAT(shares(Loads{{0, 100, 4}, {50}, {51}}, 10), ElementsAre(is(0.4), is(0.35), is(0.25)));
  EXPECT_THAT(shares(Loads{{0, 100, 0}, {50}}, 10), ElementsAre(is(0), is(1)));
}

TEST(Shares, WithoutEnoughRoomTheRestIsRefused) {
  EXPECT_THAT(shares(Loads{{0, 100, 4}, {0, 100, 1}}, 10), ElementsAre(is(0.4), is(0.1)));
}

TEST(Shares, ACapLimitsANewcomer) {
  EXPECT_THAT(shares(Loads{{0, 100, {}, 0.05}, {900}, {900}}, 100), ElementsAre(is(0.05), is(0.475), is(0.475)));
  EXPECT_THAT(shares(Loads{{0, 100, 1, 0.05}, {900}}, 100), ElementsAre(is(0.01), is(0.99)));
}

TEST(Shares, ACapIsLiftedBeforeAFlowIsRefused) {
  EXPECT_THAT(shares(Loads{{0, 100, {}, 0.05}, {0, 100, {}, 0.05}}, 100), ElementsAre(is(0.5), is(0.5)));
  EXPECT_THAT(shares(Loads{{0, 100, {}, 0.05}, {900, 100, 10}}, 100), ElementsAre(is(0.9), is(0.1)));
  EXPECT_THAT(shares(Loads{{0, 100, 20, 0.05}, {900, 100, 10}}, 100), ElementsAre(is(0.2), is(0.1)));
}

Loads some_loads(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  Loads loads(1 + below(12));
  for (auto& load : loads) {
    load = {below(1 + below(100'000)), static_cast<int>(below(5) == 0 ? 0 : 1 + below(1000)), {}, 1.0};
    if (below(3) == 0) load.room = below(1 + below(1000));
    if (below(3) == 0) load.share_cap = static_cast<double>(1 + below(1000)) / 1000;
  }
  return loads;
}

/// The definition itself: who got less than its limit got as much as lifts it to the one level that nobody is above unless it got
/// none.
TEST(Shares, SolveTheirEquation) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto loads = some_loads(seed);
    const auto arrivals = static_cast<double>(1 + seed * seed % 2000);
    const auto dealt = shares(loads, arrivals);
    double limits = 0, level = 0;
    for (std::size_t i = 0; i < loads.size(); ++i) {
      const double taken = dealt[i] * arrivals;
      ASSERT_GE(taken, 0);
      ASSERT_LE(taken, loads[i].room ? static_cast<double>(*loads[i].room) + 1e-6 : arrivals + 1e-6);
      if (loads[i].weight == 0) {
        ASSERT_EQ(taken, 0);
        continue;
      }
      limits += std::min(loads[i].room ? static_cast<double>(*loads[i].room) : arrivals, loads[i].share_cap * arrivals);
      if (taken > 1e-6) level = std::max(level, (static_cast<double>(loads[i].connections) + taken) / loads[i].weight);
    }
    if (limits < arrivals) continue;  // caps were lifted
    ASSERT_NEAR(sum(dealt), 1, 1e-9);
    for (std::size_t i = 0; i < loads.size(); ++i) {
      const double limit = std::min(loads[i].room ? static_cast<double>(*loads[i].room) : arrivals, loads[i].share_cap * arrivals);
      ASSERT_LE(dealt[i] * arrivals, limit + 1e-6);
      const double reached = (static_cast<double>(loads[i].connections) + dealt[i] * arrivals) / loads[i].weight;
      ASSERT_TRUE(loads[i].weight == 0 || dealt[i] * arrivals >= limit - 1e-6 || reached >= level - 1e-6) << i;
    }
  }
}

TEST(CountedSlots, AreAPowerOfTwoWithEightForEach) {
  for (const std::size_t few : {0U, 1U, 3U, 4U}) EXPECT_EQ(counted_slots(few, false), 32U);
  EXPECT_EQ(counted_slots(5, false), 64U);
  EXPECT_EQ(counted_slots(8, false), 64U);
  EXPECT_EQ(counted_slots(4, true), 64U);
  EXPECT_EQ(counted_slots(9, false), 128U);
  EXPECT_EQ(counted_slots(16, false), 128U);
  EXPECT_EQ(counted_slots(17, false), 256U);
  EXPECT_EQ(counted_slots(512, false), kMaxCountedSlots);
  EXPECT_EQ(counted_slots(100'000, false), kMaxCountedSlots);
}

std::vector<std::int64_t> dealt(const std::vector<double>& shares, std::size_t slots) {
  const auto table = deal_by_share(shares, slots);
  EXPECT_EQ(table.size(), slots);
  std::vector<std::int64_t> counts;
  for (std::uint32_t i = 0; i < shares.size(); ++i) counts.push_back(std::ranges::count(table, i));
  counts.push_back(std::ranges::count(table, kNoBackend));
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), static_cast<std::int64_t>(slots));
  return counts;
}

TEST(DealByShare, SlotsFollowTheShares) {
  EXPECT_THAT(dealt({0.5, 0.25, 0.25}, 64), ElementsAre(32, 16, 16, 0));
  EXPECT_THAT(dealt({0, 1}, 64), ElementsAre(0, 64, 0));
  EXPECT_THAT(dealt({1 / 3.0, 1 / 3.0, 1 / 3.0}, 64), ElementsAre(22, 21, 21, 0));
}

TEST(DealByShare, LessThanHalfASlotIsNone) {
  EXPECT_THAT(dealt({0.4 / 64, 63.6 / 64}, 64), ElementsAre(0, 64, 0));
  EXPECT_THAT(dealt({0.6 / 64, 63.4 / 64}, 64), ElementsAre(1, 63, 0));
  EXPECT_THAT(dealt({0.45 / 64, 21.4 / 64, 21.35 / 64, 20.8 / 64}, 64), ElementsAre(0, 22, 21, 21, 0))
      << "though its part is larger";
}

TEST(DealByShare, ManySmallSharesShareTheSlots) {
  const auto counts = dealt(std::vector<double>(10'000, 1e-4), kMaxCountedSlots);
  EXPECT_EQ(std::ranges::max(counts), 1);
  EXPECT_EQ(counts.back(), 0);
}

TEST(DealByShare, WhatNobodyTakesIsNobodys) {
  EXPECT_THAT(dealt({0.4, 0.1}, 64), ElementsAre(26, 6, 32));
  EXPECT_THAT(dealt({0, 0}, 64), ElementsAre(0, 0, 64));
  EXPECT_THAT(dealt({}, 64), ElementsAre(64));
}

TEST(DealByShare, SlotsAreInterleaved) {
  EXPECT_THAT(deal_by_share(std::vector{0.25, 0.75}, 8), ElementsAre(1, 0, 1, 1, 1, 0, 1, 1));
  EXPECT_THAT(deal_by_share(std::vector{0.5}, 4), ElementsAre(0, kNoBackend, 0, kNoBackend));
}

TEST(DealByShare, NobodyIsASlotOffItsShare) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto ideal = shares(some_loads(seed), 50);
    const auto counts = dealt(ideal, 64);
    for (std::size_t i = 0; i < ideal.size(); ++i) ASSERT_LT(std::abs(static_cast<double>(counts[i]) - 64 * ideal[i]), 1.0) << i;
  }
}

TEST(SlowStart, GrowsFromATenthOfTheFairShare) {
  EXPECT_DOUBLE_EQ(slow_start_cap(0.25, 0s, 60s), 0.025);
  EXPECT_DOUBLE_EQ(slow_start_cap(0.25, 30s, 60s), 0.25 * 0.55);
  EXPECT_NEAR(slow_start_cap(0.25, 59'999ms, 60s), 0.25, 1e-4);
}

TEST(SlowStart, EndsWithItsTime) {
  EXPECT_EQ(slow_start_cap(0.25, 60s, 60s), 1);
  EXPECT_EQ(slow_start_cap(0.25, 0s, 0s), 1);
}

TEST(SlowStart, IsAtItsBeginWhereTheClockWasSetBack) {
  EXPECT_DOUBLE_EQ(slow_start_cap(0.25, -1h, 60s), 0.025);
  EXPECT_EQ(slow_start_cap(0.25, -1h, 0s), 1);
}

}  // namespace
}  // namespace wsl4::balance
