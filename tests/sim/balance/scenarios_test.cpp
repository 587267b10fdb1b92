// What operators live through, in their numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "tests/sim/balance/replay.h"

namespace wsl4::sim {
namespace {

/// Every backend within 2 % of its weight's part.
bool is_even(const Backends& backends) {
  const auto parts = fair(backends);
  for (std::size_t i = 0; i < backends.size(); ++i)
    if (std::abs(static_cast<double>(backends[i].connections) - parts[i]) > 0.02 * parts[i]) return false;
  return true;
}

/// When all are even for the first time; the trace's length if never.
int even_after_ms(const Trace& trace, Policy& policy) {
  Replay replay(trace, policy);
  while (replay.step() && !is_even(replay.backends())) {}
  return replay.ms();
}

constexpr std::int64_t kFlows = 60'000;

/// Three backends with 20,000 flows each, or as their weights are; 500 new ones per second, as many end; a fourth, empty one joins.
Shape a_fourth_joins(std::array<int, 4> weights) {
  Shape shape{60'000, {}, {{0, 500}}, 120, {{0, 3, weights[3]}}};
  const auto weight = weights[0] + weights[1] + weights[2];
  for (const std::size_t i : {0U, 1U, 2U}) shape.backends.push_back({weights[i], kFlows * weights[i] / weight});
  shape.backends.push_back({0});
  return shape;
}

class FourthJoins : public testing::TestWithParam<std::array<int, 4>> {};

TEST_P(FourthJoins, AllAreEvenAsSoonAsArithmeticAllows) {
  int later_ms = 0, ideal_ms = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto trace = make_trace(a_fourth_joins(GetParam()), seed);
    LeastConn leastconn;
    Dealt dealt(4, {Dealt::kLatest, 0, seed});
    ideal_ms = even_after_ms(trace, leastconn);
    ASSERT_LT(ideal_ms, 60'000);
    later_ms = std::max(later_ms, even_after_ms(trace, dealt) - ideal_ms);
  }
  std::printf("even after %d ms by leastconn with perfect knowledge, at most %d ms later by dealing\n", ideal_ms, later_ms);
  EXPECT_LE(later_ms, 200);
}

TEST_P(FourthJoins, RestartsChangeNothing) {
  const auto trace = make_trace(a_fourth_joins(GetParam()), 2);
  Dealt undisturbed(4, {Dealt::kLatest, 0, 2}), restarted(4, {Dealt::kLatest, 0, 2});
  Replay one(trace, undisturbed), other(trace, restarted);
  bool even = false;
  std::int64_t apart = 0;
  while (one.step() && other.step()) {
    if (one.ms() % 7'000 == 1) restarted.restart();
    for (std::size_t i = 0; i < 4; ++i)
      apart = std::max(apart, std::abs(one.backends()[i].connections - other.backends()[i].connections));
    even = even || is_even(other.backends());
    ASSERT_EQ(even, is_even(other.backends())) << "after " << one.ms() << " ms";
  }
  EXPECT_TRUE(even);
  EXPECT_LE(apart, 30) << "of 15,000";
}

INSTANTIATE_TEST_SUITE_P(FirstAndThirdWeight, FourthJoins,
                         testing::Values(std::array{100, 100, 100, 100}, std::array{100, 200, 300, 200}), [](const auto& weights) {
                           return std::to_string(weights.param[0]) + "_" + std::to_string(weights.param[2]);
                         });

/// Its cap's part of all flows, dealt by dealt: what it may get, and what it got, until the slow start ends.
TEST(SlowStart, ANewcomerGetsItsShareAndNoMore) {
  auto shape = a_fourth_joins({100, 100, 100, 100});
  shape.changes = {{1000, 3, 100, false}};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    shape.pace = {{0, 5.0 * static_cast<double>(seed * seed)}};  // 5 to 2,000 a second
    const auto trace = make_trace(shape, seed);
    Dealt dealt(4, {Dealt::kLatest, 20'000, seed});
    Replay replay(trace, dealt);
    double due = 0;
    while (replay.step() && replay.ms() < 21'000) {
      due += dealt.loads()[3].share_cap * (replay.ms() < 1000 ? 0 : trace.begin[static_cast<std::size_t>(replay.ms())]);
      ASSERT_LE(static_cast<double>(replay.got()[3]), 1.02 * due + 10) << "after " << replay.ms() << " ms";
    }
    EXPECT_GE(static_cast<double>(replay.got()[3]), 0.98 * due - 10);
  }
}

}  // namespace
}  // namespace wsl4::sim
