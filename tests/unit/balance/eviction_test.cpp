#include "daemon/balance/eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace wsl4::balance {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::ElementsAre;

constexpr Pace::Time kStart{};

/// Connections and weight of each.
std::vector<Load> loads(std::initializer_list<std::pair<std::uint64_t, int>> backends) {
  std::vector<Load> loads;
  for (const auto& [connections, weight] : backends) loads.push_back({connections, weight, std::nullopt, 1.0});
  return loads;
}

TEST(Pace, KeepsItsRateHoweverOftenItIsAsked) {
  for (const double rate : {0.5, 1.0, 3.0, 4.0, 7.0, 100.0, 2'000.0, 1e6}) {
    for (const auto step : {7ms, 21ms, 50ms, 99ms}) {
      Pace pace(rate, kStart);
      std::uint64_t taken = 0;
      for (auto now = kStart; now <= kStart + 60s; now += step) taken += pace.take(now, 1'000'000);
      EXPECT_NEAR(static_cast<double>(taken), 60 * rate, std::max(1.0, 0.1 * rate))
          << rate << " a second, every " << step.count() << " ms";
    }
  }
}

TEST(Pace, MakesAPauseNotGoodInOneBurst) {
  Pace pace(100, kStart);
  EXPECT_EQ(pace.take(kStart + 1h, 1000), 25U);
  EXPECT_EQ(pace.take(kStart + 1h, 1000), 0U);
}

TEST(Pace, ARateBelowOneASecondComesToItsTurn) {
  Pace pace(0.5, kStart);
  EXPECT_EQ(pace.take(kStart + 1900ms, 10), 0U);
  EXPECT_EQ(pace.take(kStart + 2s, 10), 1U);
  EXPECT_EQ(pace.take(kStart + 3s, 10), 0U);
}

TEST(Pace, WhatIsNotWantedIsKeptForTheNext) {
  Pace pace(100, kStart);
  EXPECT_EQ(pace.take(kStart + 100ms, 4), 4U);
  EXPECT_EQ(pace.take(kStart + 100ms, 10), 6U);
}

TEST(Surplus, IsWhatABackendHasAboveItsFairPart) {
  EXPECT_THAT(surplus(loads({{20000, 100}, {20000, 100}, {20000, 100}, {0, 100}})), ElementsAre(4850, 4850, 4850, 0));
  EXPECT_THAT(surplus(loads({{10000, 300}, {10000, 100}})), ElementsAre(0, 4950));
}

TEST(Surplus, CountsOnNobodyWhoHasNoRoom) {
  auto full = loads({{489, 100}, {243, 50}, {150, 200}});
  EXPECT_THAT(surplus(full), ElementsAre(234, 115, 0));
  full[2].room = 0;
  EXPECT_THAT(surplus(full), Each(0)) << "2 to 1 already, and the third cannot take more";
  full[2].room = 30;
  EXPECT_THAT(surplus(full), ElementsAre(16, 6, 0));
}

TEST(Surplus, WhoIsLeftOverIsAskedAgain) {
  auto most_full = loads({{300, 100}, {90, 100}, {10, 100}});
  most_full[2].room = 0;
  most_full[1].room = 60;  // enough for a third of all, not for a half of the rest
  EXPECT_THAT(surplus(most_full), ElementsAre(57, 0, 0));
}

TEST(Surplus, IsNoneWhereAllIsFairOrNobodyTakesFlows) {
  EXPECT_THAT(surplus(loads({{100, 10}, {101, 10}})), Each(0));
  EXPECT_THAT(surplus(loads({{500, 0}, {10, 100}})), Each(0)) << "a backend that drains is no matter of balance";
  EXPECT_THAT(surplus(loads({{500, 0}})), Each(0));
}

TEST(Divide, GivesAwayTheNumberInProportionAndNeverMoreThanThereIs) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint64_t> surpluses(1 + random() % 8);
    for (auto& one : surpluses) one = random() % 3 == 0 ? 0 : random() % 10000;
    const auto all = std::accumulate(surpluses.begin(), surpluses.end(), std::uint64_t{0});
    const std::uint64_t number = random() % 12000;
    const auto parts = divide(number, surpluses);
    EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), std::uint64_t{0}), std::min(number, all)) << "round " << round;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_LE(parts[i], surpluses[i]);
      if (number >= all) continue;
      const auto exact = static_cast<double>(number) * static_cast<double>(surpluses[i]) / static_cast<double>(all);
      EXPECT_NEAR(static_cast<double>(parts[i]), exact, static_cast<double>(parts.size())) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace wsl4::balance
