// A pair through thousands of seeds: whatever the network and the machines do, two nodes are active only while neither adverts nor
// heartbeats get through, and in the end one is.
#include <gtest/gtest.h>

#include <random>

#include "tests/sim/election/world.h"
#include "tests/support/seeds.h"

namespace wsl4::sim {
namespace {

using namespace std::chrono_literals;
using election::Role;

World::Shape shape_of(std::mt19937_64& random) {
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  constexpr std::array kIntervals{10ms, 50ms, 100ms, 100ms, 100ms, 100ms, 200ms, 500ms};
  const int priority = draw(1, 254);
  return {
      draw(0, 1) == 1, {priority, draw(0, 2) == 0 ? priority : draw(1, 254)}, kIntervals.at(static_cast<std::size_t>(draw(0, 7)))};
}

void trouble(World& world, std::mt19937_64& random) {
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  const int node = draw(0, 1);
  switch (draw(0, 13)) {
    case 0:
      return world.set_loss(draw(0, 2) == 0 ? 0.6 : 0.1);
    case 1:
      return world.set_loss(0);
    case 2:
      return world.cut_adverts(node, true);
    case 3:
      return world.cut_adverts(0, false), world.cut_adverts(1, false);
    case 4:
      return world.cut_session(true);
    case 5:
      return world.cut_session(false);
    case 6:
      return world.doze(node, std::chrono::milliseconds(draw(10, 3000)));
    case 7:
      return world.crash(node, std::chrono::milliseconds(draw(10, 3000)));
    case 8:
      return world.carrier(node, false);
    case 9:
      return world.carrier(node, true);
    case 10:
      return world.healthy(node, draw(0, 1) == 1);
    case 11:
      return world.stop(node);
    case 12:
      return static_cast<void>(world.failover(node, false));
    default:
      return static_cast<void>(world.failover(node, true));
  }
}

/// What is wrong, or nothing.
std::string live_through(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto shape = shape_of(random);
  World world(shape, seed);
  for (int i = 0; i < 30; ++i) {
    if (!world.run(std::chrono::milliseconds(std::uniform_int_distribution<int>(0, 1200)(random)))) return world.problem();
    trouble(world, random);
  }
  world.mend_all();
  if (!world.run(12s)) return world.problem();  // a stop may just have begun, which takes up to 6
  const int before = world.changes();
  if (!world.run(4s)) return world.problem();
  if (world.changes() != before) return "the roles do not come to rest";
  if (world.actives() != 1) return std::to_string(world.actives()) + " actives in the end";
  for (int node : {0, 1}) {
    if (!world.synced(node)) return "the session is not synced in the end";
    if (world.has_addresses(node) != (world.role(node) == Role::kActive)) return "the addresses are not where the role is";
    if (world.role(node) == Role::kInit || world.role(node) == Role::kFault) return "a node without a role";
    if (world.role(node) == Role::kActive && !world.is_led_to(node)) return "neighbours, or what the hook moves, are led elsewhere";
  }
  return {};
}

TEST(Pair, HasOneActiveWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= test::seeds(2000U); ++seed) {
    const auto problem = live_through(seed);
    ASSERT_EQ(problem, "") << "seed " << seed;
  }
}

World::Shape calm() { return {false, {150, 100}, 100ms}; }

void settle(World& world) {
  ASSERT_TRUE(world.run(5s)) << world.problem();
  ASSERT_EQ(world.role(0), Role::kActive);
  ASSERT_EQ(world.role(1), Role::kStandby);
  ASSERT_TRUE(world.synced(1));
}

TEST(Pair, TakesNothingBecauseOnlyAdvertsOrOnlyHeartbeatsAreMissing) {
  for (std::uint64_t seed = 1; seed <= test::seeds(200U); ++seed) {
    World world(calm(), seed);
    settle(world);
    const int before = world.changes();
    world.cut_adverts(0, true);
    world.cut_adverts(1, true);
    ASSERT_TRUE(world.run(10s)) << "seed " << seed << ": " << world.problem();
    world.cut_adverts(0, false);
    world.cut_adverts(1, false);
    ASSERT_TRUE(world.run(2s)) << "seed " << seed << ": " << world.problem();
    world.cut_session(true);
    ASSERT_TRUE(world.run(10s)) << "seed " << seed << ": " << world.problem();
    world.cut_session(false);
    ASSERT_TRUE(world.run(5s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.changes(), before) << "seed " << seed;
  }
}

TEST(Pair, OfTwoThatWereHiddenFromEachOtherTheLowerOneStepsDown) {
  for (std::uint64_t seed = 1; seed <= test::seeds(200U); ++seed) {
    World world(calm(), seed);
    settle(world);
    world.cut_session(true);
    world.cut_adverts(0, true);
    ASSERT_TRUE(world.run(5s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.actives(), 2) << "seed " << seed;
    if (seed % 2 == 0) world.cut_adverts(0, false);
    world.cut_session(false);
    ASSERT_TRUE(world.run(5s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.role(0), Role::kActive) << "seed " << seed;
    ASSERT_EQ(world.role(1), Role::kStandby) << "seed " << seed;
    ASSERT_FALSE(world.has_addresses(1)) << "seed " << seed;
    ASSERT_TRUE(world.is_led_to(0)) << "seed " << seed;
  }
}

/// They may meet while the last advert of the lower one is still lost: what it says of itself is then the first that is heard of
/// it.
TEST(Pair, OfTwoThatWereHiddenTheOneThatStaysIsFoundByAll) {
  for (std::uint64_t seed = 1; seed <= test::seeds(200U); ++seed) {
    World world(calm(), seed);
    settle(world);
    world.cut_session(true);
    world.cut_adverts(0, true);
    world.cut_adverts(1, true);
    ASSERT_TRUE(world.run(std::chrono::milliseconds(500 + seed % 16 * 100))) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.actives(), 2) << "seed " << seed;
    world.cut_adverts(0, false);
    ASSERT_TRUE(world.run(250ms)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.actives(), 1) << "seed " << seed;
    world.cut_adverts(1, false);
    world.cut_session(false);
    ASSERT_TRUE(world.run(5s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.role(0), Role::kActive) << "seed " << seed;
    ASSERT_TRUE(world.is_led_to(0)) << "seed " << seed;
    ASSERT_EQ(world.kept(0), 1) << "seed " << seed;
  }
}

/// In a split each is promoted, some more than once; whoever was last stays, whatever the priorities, and is told when it is alone.
TEST(Pair, UnderExternalElectionTheLastPromotedStays) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const int last = seed % 2 == 0 ? 0 : 1;
    World world({false, {seed % 4 < 2 ? 150 : 100, 100}, 100ms, true}, seed);
    ASSERT_TRUE(world.run(3s)) << "seed " << seed << ": " << world.problem();
    ASSERT_TRUE(world.promote(1 - last)) << "seed " << seed;
    ASSERT_TRUE(world.run(2s)) << "seed " << seed << ": " << world.problem();
    world.cut_session(true);
    ASSERT_TRUE(world.run(3s)) << "seed " << seed << ": " << world.problem();
    for (const int node : {last, 1 - last, last}) {
      ASSERT_TRUE(world.promote(node)) << "seed " << seed;
      ASSERT_TRUE(world.run(1500ms)) << "seed " << seed << ": " << world.problem();
    }
    ASSERT_EQ(world.actives(), 2) << "seed " << seed;
    world.cut_session(false);
    ASSERT_TRUE(world.run(8s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.role(last), Role::kActive) << "seed " << seed;
    ASSERT_EQ(world.role(1 - last), Role::kStandby) << "seed " << seed;
    ASSERT_EQ(world.kept(last), 1) << "seed " << seed;
    ASSERT_EQ(world.kept(1 - last), 0) << "seed " << seed;
  }
}

TEST(Pair, HandsOverBackAndForth) {
  for (std::uint64_t seed = 1; seed <= test::seeds(100U); ++seed) {
    World world(calm(), seed);
    settle(world);
    for (int i = 0; i < 10; ++i) {
      const int from = world.role(0) == Role::kActive ? 0 : 1;
      for (int tries = 0; tries < 10 && world.role(from) == Role::kActive; ++tries) {  // a queue may not drain in time
        ASSERT_TRUE(world.failover(from, false)) << "seed " << seed;
        ASSERT_TRUE(world.run(3500ms)) << "seed " << seed << ": " << world.problem();
      }
      ASSERT_EQ(world.role(1 - from), Role::kActive) << "seed " << seed << " hand-over " << i;
      ASSERT_EQ(world.actives(), 1) << "seed " << seed;
    }
  }
}

TEST(Pair, AStopHandsOverAndTheReturningNodePreemptsOnlyIfItMay) {
  for (const bool preempt : {false, true}) {
    for (std::uint64_t seed = 1; seed <= test::seeds(100U); ++seed) {
      auto shape = calm();
      shape.preempt = preempt;
      World world(shape, seed);
      settle(world);
      world.stop(0);
      ASSERT_TRUE(world.run(450ms)) << "seed " << seed << ": " << world.problem();
      ASSERT_TRUE(world.run(15s)) << "seed " << seed << ": " << world.problem();
      ASSERT_EQ(world.role(0), preempt ? Role::kActive : Role::kStandby) << "seed " << seed;
      ASSERT_EQ(world.role(1), preempt ? Role::kStandby : Role::kActive) << "seed " << seed;
    }
  }
}

TEST(Pair, AStopOfTheLastNodeLeavesItsAddressesAndItsStartToo) {
  for (std::uint64_t seed = 1; seed <= test::seeds(100U); ++seed) {
    World world(calm(), seed);
    settle(world);
    world.crash(1, 20s);
    ASSERT_TRUE(world.run(2s)) << "seed " << seed << ": " << world.problem();
    world.stop(0);
    ASSERT_FALSE(world.running(0)) << "seed " << seed;
    for (int i = 0; i < 1500; ++i) {
      ASSERT_TRUE(world.has_addresses(0)) << "seed " << seed << " after " << 10 * i << " ms";
      ASSERT_TRUE(world.run(10ms)) << "seed " << seed << ": " << world.problem();
    }
    ASSERT_TRUE(world.run(10s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.role(0), Role::kActive) << "seed " << seed;
    ASSERT_EQ(world.role(1), Role::kStandby) << "seed " << seed;
  }
}

TEST(Pair, OfTwoThatStopTogetherOneKeepsTheAddresses) {
  for (std::uint64_t seed = 1; seed <= test::seeds(500U); ++seed) {
    World world(calm(), seed);
    settle(world);
    for (int node : {0, 1}) world.cut_adverts(node, true);
    ASSERT_TRUE(world.run(1s)) << "seed " << seed << ": "
                               << world.problem();  // a late one would tell of an active that is none any more
    std::mt19937_64 random(seed);
    const int first = std::uniform_int_distribution<int>(0, 1)(random);
    world.stop(first);
    ASSERT_TRUE(world.run(std::chrono::milliseconds(std::uniform_int_distribution<int>(0, 60)(random)))) << world.problem();
    world.stop(1 - first);
    for (int i = 0; i < 490 && (world.running(0) || world.running(1)); ++i)
      ASSERT_TRUE(world.run(1ms)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.has_addresses(0) + world.has_addresses(1), 1) << "seed " << seed;
  }
}

TEST(Pair, AMoverRestsUntilTheNextFailure) {
  for (std::uint64_t seed = 1; seed <= test::seeds(100U); ++seed) {
    auto shape = calm();
    shape.preempt = true;
    World world(shape, seed);
    settle(world);
    while (world.role(0) == Role::kActive) {
      ASSERT_TRUE(world.failover(0, false)) << "seed " << seed;
      ASSERT_TRUE(world.run(3500ms)) << "seed " << seed << ": " << world.problem();
    }
    ASSERT_TRUE(world.run(20s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.role(1), Role::kActive) << "seed " << seed;
    world.crash(1, 2000ms);
    ASSERT_TRUE(world.run(10s)) << "seed " << seed << ": " << world.problem();
    ASSERT_EQ(world.role(0), Role::kActive) << "seed " << seed;
  }
}

}  // namespace
}  // namespace wsl4::sim
