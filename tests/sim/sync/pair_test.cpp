// Thousands of pairs, each from a seed. A failure names its seed; WSL4_SEED=N runs only that one and tells what happens.
#include "tests/sim/sync/pair.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace wsl4::pair_sim {
namespace {

constexpr std::uint64_t kSeeds = 2'000;
constexpr int kSteps = 400;

TEST(Pair, StandbyEqualsActiveWhateverHappened) {
  const char* only = std::getenv("WSL4_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : kSeeds;
  Pair::Figures total;
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(testing::Message() << "WSL4_SEED=" << seed);
    Pair pair(seed, only != nullptr);
    for (int i = 0; i < kSteps && pair.broken().empty(); ++i) pair.step();
    const bool settled = pair.settle();
    ASSERT_EQ(pair.broken(), "");
    ASSERT_TRUE(settled) << "never at rest";
    ASSERT_EQ(pair.difference(), "");
    total.flows += pair.figures().flows;
    total.failovers += pair.figures().failovers;
    total.takeovers += pair.figures().takeovers;
    total.restarts += pair.figures().restarts;
    total.reconnects += pair.figures().reconnects;
  }
  std::printf("%llu pairs: %zu flows, %zu planned failovers, %zu takeovers, %zu restarts, %zu connections\n",
              static_cast<unsigned long long>(last - first + 1), total.flows, total.failovers, total.takeovers, total.restarts,
              total.reconnects);
  if (only != nullptr) return;
  EXPECT_GT(total.failovers, kSeeds / 10);
  EXPECT_GT(total.takeovers, kSeeds);
  EXPECT_GT(total.restarts, kSeeds);
}

}  // namespace
}  // namespace wsl4::pair_sim
