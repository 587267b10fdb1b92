// Many flows at once, and very few.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/sim/balance/replay.h"

namespace wsl4::sim {
namespace {

Backend with(std::int64_t connections, std::optional<std::int64_t> max_connections = {}) {
  return {100, connections, max_connections};
}

/// Flows between the fullest and the emptiest of the first `count` backends.
std::int64_t spread(const Replay& replay, std::ptrdiff_t count) {
  const auto& backends = replay.backends();
  const auto [least, most] = std::ranges::minmax_element(backends.begin(), backends.begin() + count, {}, &Backend::connections);
  return most->connections - least->connections;
}

/// One of four dies; its 20,000 clients are back within 200 ms. Those that live are not quite equal. Returns by how much they were
/// apart at worst.
std::int64_t apart_when_one_dies(bool announced, std::uint64_t seed) {
  const Shape shape{2'000,
                    {with(20'000), with(19'950), with(20'050), with(20'000)},
                    {{0, 50}, {1'005, 100'000}, {1'205, 50}},
                    3600,
                    {{1'000, 3, 0, true}}};
  const auto trace = make_trace(shape, seed);
  Dealt dealt(4, {Dealt::kLatest, 0, seed});
  Replay replay(trace, dealt);
  std::int64_t apart = 0;
  while (replay.step()) {
    if (announced && replay.ms() == 999) dealt.expect(20'000);
    apart = std::max(apart, spread(replay, 3));
  }
  return apart;
}

TEST(Reconnects, DoNotAllMeetTheEmptiest) {
  std::int64_t announced = 0, unannounced = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    announced = std::max(announced, apart_when_one_dies(true, seed));
    unannounced = std::max(unannounced, apart_when_one_dies(false, seed));
  }
  std::printf("20,000 reconnects in 200 ms: backends of 20,000 at most %lld flows apart, %lld unless expected\n",
              static_cast<long long>(announced), static_cast<long long>(unannounced));
  EXPECT_LE(announced, 400);
  EXPECT_LE(unannounced, 2'000);
}

TEST(Reconnects, LeaveANewcomerItsSlowStart) {
  const Shape shape{4'000,
                    {with(20'000), with(20'000), with(20'000), {0}},
                    {{0, 50}, {1'000, 10'000}, {3'000, 50}},
                    3600,
                    {{500, 3, 100, false}, {1'000, 2, 0, true}}};
  const auto trace = make_trace(shape, 1);
  Dealt dealt(4, {Dealt::kLatest, 30'000, 1});
  Replay replay(trace, dealt);
  while (replay.step()) {}
  EXPECT_LE(replay.got()[3], 20'000 / 3 / 5) << "a tenth of its third at first, and it grows";
  EXPECT_GE(replay.got()[3], 20'000 / 3 / 10);
}

class Limits : public testing::TestWithParam<int> {};

TEST_P(Limits, AreMetByABurstAndHardlyPassed) {
  const Shape shape{4'000, {with(0, 8'000), with(3'000, 6'000), with(0, 10'000)}, {{0, 10}, {1'000, 10'000}}, 3600};
  std::int64_t over = 0, free_when_refused = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto trace = make_trace(shape, seed);
    Dealt dealt(3, {GetParam(), 0, seed});
    Replay replay(trace, dealt);
    while (replay.step()) {
      std::int64_t free = 0;
      for (const auto& backend : replay.backends()) {
        free += std::max<std::int64_t>(0, *backend.max_connections - backend.connections);
        over = std::max(over, backend.connections - *backend.max_connections);
      }
      if (replay.refused() > 0) free_when_refused = std::max(free_when_refused, free);
    }
    for (const auto& backend : replay.backends()) EXPECT_GE(backend.connections + 30, *backend.max_connections);
  }
  std::printf(
      "10,000 flows/s, counts up to %d ms late: at most %lld over a limit, %lld of 24,000 free when the first was refused\n",
      GetParam(), static_cast<long long>(over), static_cast<long long>(free_when_refused));
  EXPECT_LE(over, 30 + 10 * GetParam()) << "what is not heard of";
  EXPECT_LE(free_when_refused, 150) << "a deal lasts 10 ms";
}

INSTANTIATE_TEST_SUITE_P(Late, Limits, testing::Values(0, 10, Dealt::kLatest));

TEST(FewFlows, GoStrictlyToTheEmptiest) {
  Trace trace{{with(7), with(3), with(0), with(5)},
              std::vector<std::uint32_t>(40'000),
              std::vector<std::vector<std::uint32_t>>(40'000),
              {}};
  for (std::size_t ms = 10'000; ms < 40'000; ms += 250) trace.begin[ms] = 1;
  Dealt dealt(4, {Dealt::kLatest, 0, 1});
  Replay replay(trace, dealt);
  auto before = replay.backends();
  while (replay.step()) {
    const auto least = std::ranges::min(before, {}, &Backend::connections).connections;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const auto now = replay.backends()[i].connections;
      ASSERT_TRUE(now == before[i].connections || now == least + 1) << "backend " << i << " after " << replay.ms() << " ms";
    }
    before = replay.backends();
  }
  EXPECT_LE(spread(replay, 4), 1);
}

TEST(FirstFlows, OfABurstFromRestDoNotAllMeetTheEmptiest) {
  std::int64_t fewest = 60;
  for (const auto& before : {Backends{with(5), with(5), with(5)}, {with(5), with(6), with(5)}, {with(6), with(6), with(5)}}) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      Trace trace{before, std::vector<std::uint32_t>(10'100), std::vector<std::vector<std::uint32_t>>(10'100), {}};
      for (std::size_t ms = 10'000; ms < 10'010; ++ms) trace.begin[ms] = 6;
      Dealt dealt(3, {5, 0, seed});
      Replay replay(trace, dealt);
      while (replay.step()) {}
      fewest = std::min(fewest, std::ranges::min(replay.got()));
    }
  }
  std::printf("60 flows in 10 ms after silence: each of three backends got %lld at least\n", static_cast<long long>(fewest));
  EXPECT_GE(fewest, 10);
}

TEST(Deals, AreAtMostTenASecondUnderSteadyFlows) {
  for (const double rate : {1.0, 20.0, 300.0, 5'000.0}) {
    const auto trace = make_trace({20'000, {with(0), with(0), with(0)}, {{0, rate}}, 2}, 1);
    Dealt dealt(3, {Dealt::kLatest, 0, 1});
    Replay replay(trace, dealt);
    while (replay.step()) {}
    EXPECT_LE(dealt.deals(), 20 * 10.3) << rate << " flows per second";
  }
}

}  // namespace
}  // namespace wsl4::sim
