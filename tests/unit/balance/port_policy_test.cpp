#include "daemon/balance/port_policy.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace wsl4::balance {
namespace {

using namespace std::chrono_literals;

TEST(PortPolicy, BlocksComeAndGoWithUse) {
  EXPECT_EQ(port_mode(PortMode::kRange, 0.49, 0), PortMode::kRange);
  EXPECT_EQ(port_mode(PortMode::kRange, 0.50, 0), PortMode::kBlocks);
  EXPECT_EQ(port_mode(PortMode::kBlocks, 0.31, 0), PortMode::kBlocks);
  EXPECT_EQ(port_mode(PortMode::kBlocks, 0.29, 0), PortMode::kRange);
}

TEST(PortPolicy, BlocksComeEarlyIfTheRangeWouldSoonRefuse) {
  EXPECT_EQ(port_mode(PortMode::kRange, 0.2, 0.5), PortMode::kRange);
  EXPECT_EQ(port_mode(PortMode::kRange, 0.2, 0.6), PortMode::kBlocks);
  EXPECT_EQ(port_mode(PortMode::kBlocks, 0.2, 0.6), PortMode::kBlocks);
}

const PortDeal kNearlyFull{{}, 600, 512};

TEST(PortPolicy, ADealIsRenewedAfterATenthOfItsPorts) {
  EXPECT_FALSE(deal_is_due(kNearlyFull, {24h, 59, 0}));
  EXPECT_TRUE(deal_is_due(kNearlyFull, {10ms, 60, 0}));
  EXPECT_FALSE(deal_is_due(kNearlyFull, {9ms, 60, 0}));
}

TEST(PortPolicy, ADealOfALargePoolIsRenewedBeforeItsBlocksAreFull) {
  const PortDeal deal{{}, 10'000, 512};  // a tenth of it could fill blocks of one free port
  EXPECT_FALSE(deal_is_due(deal, {1s, 169, 0}));
  EXPECT_TRUE(deal_is_due(deal, {1s, 170, 0}));
}

TEST(PortPolicy, TheLastPortsAreDealtOneByOne) {
  const PortDeal deal{{}, 5, 0};
  EXPECT_FALSE(deal_is_due(deal, {1s, 0, 0}));
  EXPECT_TRUE(deal_is_due(deal, {1s, 1, 0}));
}

TEST(PortPolicy, ADealIsRenewedWhenAsManyPortsHaveComeFree) {
  EXPECT_FALSE(deal_is_due(kNearlyFull, {1s, 0, 599}));
  EXPECT_TRUE(deal_is_due(kNearlyFull, {1s, 0, 600}));
}

TEST(PortPolicy, AFullBackendWaitsForItsFirstFreePort) {
  EXPECT_FALSE(deal_is_due({}, {1s, 0, 0}));
  EXPECT_FALSE(deal_is_due({}, {9ms, 0, 1}));
  EXPECT_TRUE(deal_is_due({}, {10ms, 0, 1}));
}

/// One sample a second.
std::vector<UseSample> samples(const std::vector<std::uint64_t>& held) {
  std::vector<UseSample> samples;
  samples.reserve(held.size());
  for (const auto count : held) samples.push_back({std::chrono::steady_clock::time_point{} + 1s * samples.size(), count});
  return samples;
}

TEST(Forecast, AStraightLineGoesOn) {
  const auto growing = samples({100, 110, 120, 130});
  EXPECT_DOUBLE_EQ(growth_per_second(growing), 10);
  EXPECT_EQ(time_until_full(growing, 230), 10s);
  EXPECT_EQ(time_until_full(growing, 130), 0s);
  EXPECT_EQ(time_until_full(growing, 100), 0s);
}

TEST(Forecast, WhatDoesNotGrowIsNeverFull) {
  EXPECT_EQ(time_until_full({}, 100), std::nullopt);
  EXPECT_EQ(time_until_full(samples({50}), 100), std::nullopt);
  EXPECT_EQ(time_until_full(samples({50, 50, 50}), 100), std::nullopt);
  EXPECT_EQ(time_until_full(samples({50, 40, 30}), 100), std::nullopt);
  EXPECT_EQ(time_until_full(samples({100, 100}), 100), std::nullopt);
}

TEST(Forecast, UpAndDownIsNoGrowth) { EXPECT_EQ(time_until_full(samples({50, 90, 52, 91, 51, 92, 53, 91}), 100), std::nullopt); }

TEST(Forecast, NoiseDoesNotHideGrowth) {
  std::mt19937 generator(7);
  std::vector<std::uint64_t> held;
  for (std::uint64_t second = 0; second < 60; ++second) held.push_back(10'000 + 100 * second + generator() % 200);
  EXPECT_NEAR(growth_per_second(samples(held)), 100, 5);
}

TEST(Forecast, BeyondAYearIsNever) {
  EXPECT_EQ(time_until_full(samples({1, 2, 3}), std::uint64_t{400} * 86400), std::nullopt);
  EXPECT_TRUE(time_until_full(samples({1, 2, 3}), std::uint64_t{300} * 86400));
}

}  // namespace
}  // namespace wsl4::balance
