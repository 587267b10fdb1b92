#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "daemon/balance/slots.h"

namespace wsl4::balance {
namespace {

std::vector<HashCandidate> backends(std::size_t number, int weight_step) {
  std::vector<HashCandidate> result;
  for (std::size_t i = 0; i < number; ++i)
    result.push_back({"198.18.0." + std::to_string(i + 1) + ":8888", 100 + static_cast<int>(i) * weight_step % 300});
  return result;
}

double share(const std::vector<HashCandidate>& candidates, std::size_t index) {
  const auto sum = std::accumulate(candidates.begin(), candidates.end(), 0,
                                   [](int so_far, const auto& candidate) { return so_far + candidate.weight; });
  return static_cast<double>(candidates[index].weight) / sum;
}

/// Part of the slots whose backend's key differs. Both tables must be of one size.
double moved(const std::vector<HashCandidate>& before, const std::vector<HashCandidate>& after) {
  const auto old_slots = deal_by_hash(before), new_slots = deal_by_hash(after);
  EXPECT_EQ(old_slots.size(), new_slots.size());
  std::size_t differing = 0;
  for (std::size_t i = 0; i < old_slots.size(); ++i) differing += before[old_slots[i]].key != after[new_slots[i]].key ? 1U : 0U;
  return static_cast<double>(differing) / static_cast<double>(old_slots.size());
}

TEST(Maglev, SizesArePrimesWithRoomForEveryBackend) {
  for (const std::size_t number : {1U, 2U, 20U, 21U, 81U, 82U, 327U, 328U}) {
    const auto size = hash_table_size(number);
    EXPECT_GE(size, 800 * number);
    for (std::uint32_t divisor = 2; divisor * divisor <= size; ++divisor) ASSERT_NE(size % divisor, 0U) << size;
  }
}

TEST(Maglev, WithoutAnyWeightThereIsNoSlot) {
  EXPECT_TRUE(deal_by_hash({}).empty());
  EXPECT_TRUE(deal_by_hash(std::vector<HashCandidate>{{"a", 0}}).empty());
}

TEST(Maglev, ABackendThatRestsKeepsTheSize) {
  auto candidates = backends(21, 0);
  const auto size = deal_by_hash(candidates).size();
  candidates[7].weight = 0;
  EXPECT_EQ(deal_by_hash(candidates).size(), size);
}

TEST(Maglev, RestingIsLikeBeingGone) {
  auto resting = backends(5, 0), gone = resting;
  resting[2].weight = 0;
  gone.erase(gone.begin() + 2);
  EXPECT_EQ(moved(resting, gone), 0.0);
}

TEST(Maglev, TheOrderOfBackendsDoesNotMatter) {
  const auto candidates = backends(9, 40);
  auto reversed = candidates;
  std::ranges::reverse(reversed);
  EXPECT_EQ(moved(candidates, reversed), 0.0);
}

struct Shape {
  std::size_t backends;
  int weight_step;
};
class Tables : public testing::TestWithParam<Shape> {};

TEST_P(Tables, SlotsFollowTheWeights) {
  const auto candidates = backends(GetParam().backends, GetParam().weight_step);
  const auto slots = deal_by_hash(candidates);
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    const auto dealt = static_cast<double>(std::ranges::count(slots, i));
    const auto fair = share(candidates, i) * static_cast<double>(slots.size());
    EXPECT_NEAR(dealt, fair, 2.0) << "backend " << i;
  }
}

TEST_P(Tables, RemovingOneMovesItsShareAndAtMostOnePercent) {
  const auto candidates = backends(GetParam().backends, GetParam().weight_step);
  for (std::size_t gone = 0; gone < candidates.size(); gone += 1 + candidates.size() / 5) {
    auto rest = candidates;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
    EXPECT_LE(moved(candidates, rest), share(candidates, gone) + 0.01) << "without backend " << gone;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Tables,
                         testing::Values(Shape{2, 0}, Shape{3, 0}, Shape{4, 0}, Shape{5, 0}, Shape{8, 0}, Shape{10, 0},
                                         Shape{11, 0}, Shape{16, 0}, Shape{20, 0}, Shape{25, 0}, Shape{40, 0}, Shape{81, 0},
                                         Shape{2, 150}, Shape{3, 70}, Shape{4, 290}, Shape{7, 37}, Shape{12, 90}, Shape{20, 13},
                                         Shape{20, 110}, Shape{60, 110}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.backends) + "_step_" + std::to_string(shape.param.weight_step);
                         });

}  // namespace
}  // namespace wsl4::balance
