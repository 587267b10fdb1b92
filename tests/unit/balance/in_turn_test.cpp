#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "daemon/balance/slots.h"

namespace wsl4::balance {
namespace {

using testing::ElementsAre;

std::vector<std::int64_t> counts(const Slots& slots, std::size_t backends) {
  std::vector<std::int64_t> result(backends);
  for (const auto slot : slots) ++result.at(slot);
  return result;
}

std::vector<int> some_weights(std::size_t backends, int factor) {
  std::vector<int> weights;
  for (std::size_t i = 0; i < backends; ++i)
    weights.push_back(static_cast<int>((i * 7919 + 13) * static_cast<std::size_t>(factor) % 1001));
  weights.front() = 1000;
  return weights;
}

TEST(InTurn, EqualWeightsNeedOneSlotEach) { EXPECT_THAT(deal_in_turn(std::vector{100, 100, 100}), ElementsAre(0, 1, 2)); }

TEST(InTurn, SlotsAreAsFewAsTheWeightsAllow) {
  EXPECT_EQ(deal_in_turn(std::vector{100, 50}).size(), 3U);
  EXPECT_EQ(deal_in_turn(std::vector{10, 20, 30}).size(), 6U);
  EXPECT_EQ(deal_in_turn(std::vector{7}).size(), 1U);
}

TEST(InTurn, AHeavyBackendIsSpreadOut) { EXPECT_THAT(deal_in_turn(std::vector{1, 2, 3}), ElementsAre(2, 1, 0, 2, 1, 2)); }

TEST(InTurn, WithoutAnyWeightThereIsNoSlot) {
  EXPECT_TRUE(deal_in_turn({}).empty());
  EXPECT_TRUE(deal_in_turn(std::vector{0, 0}).empty());
}

TEST(InTurn, WeightZeroGetsNothing) { EXPECT_THAT(deal_in_turn(std::vector{0, 5, 0, 5}), ElementsAre(1, 3)); }

TEST(InTurn, WeightsAreMetExactlyWhereTheyFit) {
  const std::vector weights{3, 500, 250, 1, 9};
  const auto slots = deal_in_turn(weights);
  ASSERT_EQ(slots.size(), 763U);
  EXPECT_THAT(counts(slots, weights.size()), ElementsAre(3, 500, 250, 1, 9));
}

TEST(InTurn, NobodyWaitsLongerThanTwoOfItsShares) {
  const std::vector weights{1, 2, 3, 10, 50};
  const auto slots = deal_in_turn(weights);
  for (std::uint32_t backend = 0; backend < weights.size(); ++backend) {
    const auto fair_gap = static_cast<double>(slots.size()) / weights[backend];
    std::size_t last = 0;
    for (std::size_t i = 0; i < 2 * slots.size(); ++i) {
      if (slots[i % slots.size()] != backend) continue;
      EXPECT_LE(static_cast<double>(i - last), 2 * fair_gap + 1) << "backend " << backend;
      last = i;
    }
  }
}

class ManyBackends : public testing::TestWithParam<int> {};

TEST_P(ManyBackends, RoundingCostsAboutASlotAtMost) {
  const auto weights = some_weights(static_cast<std::size_t>(GetParam()), 3);
  const auto sum = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  const auto slots = deal_in_turn(weights);
  ASSERT_LE(slots.size(), kMaxCountedSlots + weights.size());
  const auto dealt = counts(slots, weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto fair = static_cast<double>(weights[i]) * static_cast<double>(slots.size()) / static_cast<double>(sum);
    EXPECT_NEAR(static_cast<double>(dealt[i]), fair, 1.2) << "backend " << i;
    EXPECT_EQ(dealt[i] > 0, weights[i] > 0) << "backend " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Numbers, ManyBackends, testing::Values(2, 5, 17, 100, 400));

}  // namespace
}  // namespace wsl4::balance
