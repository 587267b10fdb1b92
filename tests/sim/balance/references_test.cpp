// How even it is, against HAProxy's leastconn and random with perfect knowledge and against chance, on the same traces.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tests/sim/balance/replay.h"
#include "tests/support/seeds.h"

namespace wsl4::sim {
namespace {

/// How many flows the backend furthest off has too many or too few.
double imbalance(const Backends& backends) {
  const auto parts = fair(backends);
  double worst = 0;
  for (std::size_t i = 0; i < backends.size(); ++i)
    if (backends[i].weight > 0) worst = std::max(worst, std::abs(static_cast<double>(backends[i].connections) - parts[i]));
  return worst;
}

/// On average over the trace.
double mean_imbalance(const Trace& trace, Policy& policy) {
  Replay replay(trace, policy);
  double sum = 0;
  int samples = 0;
  while (replay.step()) {
    if (replay.ms() % 20 != 0) continue;
    sum += imbalance(replay.backends());
    ++samples;
  }
  return sum / samples;
}

constexpr auto kSpan = static_cast<std::size_t>(balance::DealClock::kInterval.count());

/// The most flows that begin within an interval of the deal clock.
double most_in_interval(const Trace& trace) {
  std::int64_t within = 0, most = 0;
  for (std::size_t ms = 0; ms < trace.begin.size(); ++ms) {
    within += trace.begin[ms];
    if (ms >= kSpan) within -= trace.begin[ms - kSpan];
    most = std::max(most, within);
  }
  return static_cast<double>(most);
}

struct Imbalance {
  double dealt = 0, leastconn = 0, random = 0, chance = 0;
};

Imbalance compare(const Shape& shape, std::uint64_t seed, double allowed_part) {
  const auto trace = make_trace(shape, seed);
  Dealt dealt(shape.backends.size(), {Dealt::kLatest, 0, seed});
  LeastConn leastconn;
  Chance random(seed, 2), chance(seed, 1);
  const Imbalance figures{mean_imbalance(trace, dealt), mean_imbalance(trace, leastconn), mean_imbalance(trace, random),
                          mean_imbalance(trace, chance)};
  const double allowed = 3 + allowed_part * most_in_interval(trace);
  EXPECT_LE(figures.dealt, figures.leastconn + allowed);
  EXPECT_LE(figures.dealt, figures.random + allowed);
  EXPECT_LE(figures.dealt, figures.chance + allowed);
  return figures;
}

constexpr auto kTraces = test::seeds<std::uint64_t>(500);

/// Any single trace may be lucky for chance; no hundred of them are.
void compare_many(const char* what, bool steady, double allowed_part) {
  Imbalance sum;
  for (std::uint64_t seed = 1; seed <= kTraces; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto shape = random_shape(seed, {false, false});
    if (steady) {
      shape.changes.clear();
      shape.pace.resize(1);
    }
    const auto figures = compare(shape, seed, allowed_part);
    sum = {sum.dealt + figures.dealt, sum.leastconn + figures.leastconn, sum.random + figures.random, sum.chance + figures.chance};
    EXPECT_TRUE(seed % 100 != 0 || sum.dealt <= sum.chance) << sum.dealt << " and " << sum.chance;
  }
  std::printf("%s: flows off, mean of %llu services: dealt %.2f, leastconn %.2f, random %.2f, chance %.2f\n", what,
              static_cast<unsigned long long>(kTraces), sum.dealt / kTraces, sum.leastconn / kTraces, sum.random / kTraces,
              sum.chance / kTraces);
}

/// Within 3 flows and 3 % of what begins in 100 ms: a slot is 1/64, counts are late.
TEST(References, SteadyServicesAreNearlyAsEvenAsByLeastconn) { compare_many("steady", true, 0.03); }

/// After a change the furthest one may be off by what was dealt before it was heard of.
TEST(References, BurstsAndChangesCostAtMostADealsArrivals) { compare_many("bursts and changes", false, 1); }

}  // namespace
}  // namespace wsl4::sim
