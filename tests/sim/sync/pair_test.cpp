// Thousands of pairs, each from a seed. A failure names its seed; WSL4_SEED=N runs only that one and tells what happens.
#include "tests/sim/sync/pair.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/seeds.h"

namespace wsl4::pair_sim {
namespace {

constexpr auto kSeeds = test::seeds<std::uint64_t>(500);  // in each of four parts, which may run side by side
constexpr int kSteps = 400;

class Pairs : public testing::TestWithParam<std::uint64_t> {
 protected:
  void run(std::uint64_t seed, bool trace) {
    SCOPED_TRACE(testing::Message() << "WSL4_SEED=" << seed);
    Pair pair(seed, trace);
    for (int i = 0; i < kSteps && pair.broken().empty(); ++i) pair.step();
    const bool settled = pair.settle();
    ASSERT_EQ(pair.broken(), "");
    ASSERT_TRUE(settled) << "never at rest";
    ASSERT_EQ(pair.difference(), "");
    total_.flows += pair.figures().flows;
    total_.failovers += pair.figures().failovers;
    total_.takeovers += pair.figures().takeovers;
    total_.restarts += pair.figures().restarts;
    total_.connections += pair.figures().connections;
  }
  Pair::Figures total_;
};

TEST_P(Pairs, AreEqualInTheEndWhateverHappened) {
  if (const char* only = std::getenv("WSL4_SEED"); only != nullptr) return run(std::strtoull(only, nullptr, 10), true);
  for (auto seed = GetParam(); seed < GetParam() + kSeeds && !HasFatalFailure(); ++seed) run(seed, false);
  std::printf("%llu pairs: %zu flows, %zu planned failovers, %zu takeovers, %zu restarts, %zu connections\n",
              static_cast<unsigned long long>(kSeeds), total_.flows, total_.failovers, total_.takeovers, total_.restarts,
              total_.connections);
  EXPECT_GT(total_.failovers, kSeeds / 50);
  EXPECT_GT(total_.takeovers, kSeeds);
  EXPECT_GT(total_.restarts, kSeeds);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Pairs, testing::Values(1, 1 + kSeeds, 1 + 2 * kSeeds, 1 + 3 * kSeeds));

}  // namespace
}  // namespace wsl4::pair_sim
