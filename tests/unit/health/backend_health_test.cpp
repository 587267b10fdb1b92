#include "daemon/health/backend_health.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

namespace wsl4::health {
namespace {

using namespace std::chrono_literals;

IpAddress source(int number) { return *IpAddress::parse("198.18.2." + std::to_string(number)); }

/// A backend, the addresses that it is checked from, and what becomes of such checks.
class World {
 public:
  World(int addresses, Damper::Limits limits) : health(limits), limits_(limits) {
    std::vector<IpAddress> list;
    for (int i = 1; i <= addresses; ++i) list.push_back(source(i));
    sources = std::make_shared<const std::vector<IpAddress>>(list);
    health.set_sources(sources);
  }

  /// One check; returns whether it told of a change, as it must if one can be seen.
  bool check() {
    const auto chosen = health.next_source([this](const IpAddress& address) { return !full.contains(address); });
    now_ += 1s;
    if (!chosen) {
      health.record_no_source(now_);
      return false;
    }
    EXPECT_FALSE(full.contains(*chosen));
    EXPECT_TRUE(!failed_voter_ || *chosen != last || !another_voter_than(last)) << last.to_string() << " twice";
    last = *chosen;
    const auto before = view();
    const auto excluded = health.excluded();
    const auto outcome = outcome_from(last);
    const bool changed = health.record(last, {outcome, ""}, now_);
    EXPECT_EQ(changed, before != view());
    EXPECT_TRUE(sources->size() > health.excluded().size()) << "all are excluded";
    failed_voter_ = (outcome == Outcome::kConnectFailed) && !std::ranges::binary_search(excluded, last);
    return changed;
  }

  [[nodiscard]] State state() const { return health.standing().state; }
  /// How many checks take it down, at the most, if all fail.
  [[nodiscard]] int fall() const {
    return sources->size() - health.excluded().size() >= 2 ? std::max(limits_.fall, 2) : limits_.fall;
  }

  BackendHealth health;
  Sources sources;
  bool alive = true;
  std::set<IpAddress> dead, mute, full;
  IpAddress last;

 private:
  [[nodiscard]] Outcome outcome_from(const IpAddress& address) const {
    if (mute.contains(address)) return Outcome::kNoVerdict;
    return alive && !dead.contains(address) ? Outcome::kOk : Outcome::kConnectFailed;
  }
  [[nodiscard]] bool another_voter_than(const IpAddress& address) const {
    const auto excluded = health.excluded();
    return std::ranges::any_of(*sources, [&](const IpAddress& other) {
      return other != address && !full.contains(other) && !std::ranges::binary_search(excluded, other);
    });
  }
  [[nodiscard]] std::tuple<State, Failure, std::vector<IpAddress>> view() const {
    return {health.standing().state, health.standing().failure, health.excluded()};
  }

  Damper::Limits limits_;
  TimePoint now_ = TimePoint() + 1h;
  bool failed_voter_ = false;
};

struct Random {
  explicit Random(unsigned seed) : generator(seed) {}
  /// From `least` to `most`.
  int operator()(int least, int most) { return least + static_cast<int>(generator() % static_cast<unsigned>(most - least + 1)); }
  std::mt19937 generator;
};

Damper::Limits random_limits(Random& random) { return {random(1, 4), random(1, 5)}; }

constexpr unsigned kSeeds = 500;

TEST(BackendHealth, OneDeadAddressIsTakenOutAndNotTheBackend) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto limits = random_limits(random);
    const int addresses = random(2, 20);
    World world(addresses, limits);
    for (int i = random(0, 30); i > 0; --i) world.check();
    const auto victim = source(random(1, addresses));
    world.dead = {victim};
    // Its turn comes, then it is tried every second time.
    for (int i = 0; i < addresses + 2 * limits.fall; ++i) {
      world.check();
      ASSERT_NE(world.state(), State::kDown);
    }
    ASSERT_EQ(world.health.excluded(), std::vector{victim});
    for (int i = 0; i < 100; ++i) ASSERT_FALSE(world.check());

    world.dead.clear();
    int good = 0;
    for (int i = 0; !world.health.excluded().empty(); ++i) {
      ASSERT_LT(i, 2 * limits.rise + static_cast<int>(Paths::kProbeEvery));
      world.check();
      good += world.last == victim ? 1 : 0;
    }
    ASSERT_EQ(good, limits.rise);
    ASSERT_EQ(world.state(), State::kUp);
  }
}

TEST(BackendHealth, ABackendThatFailsFromEveryAddressGoesDownWithinFallChecks) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const int addresses = random(1, 20);
    World world(addresses, random_limits(random));
    if (random(0, 1) == 1 && addresses > 1) world.dead = {source(random(1, addresses))};
    for (int i = random(0, 60); i > 0; --i) world.check();
    ASSERT_NE(world.state(), State::kDown);
    world.alive = false;
    // Not more, but that a check or two may come from an excluded address.
    const int most = world.fall() + 2 * static_cast<int>(world.health.excluded().size());
    for (int i = 0; i < most; ++i) world.check();
    ASSERT_EQ(world.state(), State::kDown);
    ASSERT_EQ(world.health.standing().failure, Failure::kConnect);
  }
}

TEST(BackendHealth, OneDeadAddressDoesNotKeepABackendDown) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto limits = random_limits(random);
    const int addresses = random(2, 20);
    World world(addresses, limits);
    world.alive = false;
    for (int i = random(10, 60); i > 0; --i) world.check();
    ASSERT_EQ(world.state(), State::kDown);
    world.alive = true;
    world.dead = {source(random(1, addresses))};
    for (int i = 0; i < 2 * limits.rise + 2; ++i) world.check();
    ASSERT_EQ(world.state(), State::kUp);
    for (int i = 0; i < 2 * addresses + 2 * limits.fall + 8; ++i) {
      world.check();
      ASSERT_EQ(world.state(), State::kUp);
    }
    ASSERT_EQ(world.health.excluded(), std::vector(world.dead.begin(), world.dead.end()));
  }
}

/// Everything at random; World checks what must hold at each step.
TEST(BackendHealth, WhateverHappensAnAddressRemains) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const int addresses = random(1, 12);
    World world(addresses, random_limits(random));
    const auto flip = [&](std::set<IpAddress>& set) {
      const auto address = source(random(1, addresses));
      if (set.erase(address) == 0) set.insert(address);
    };
    for (int step = 0; step < 300 && !testing::Test::HasFailure(); ++step) {
      const int event = random(0, 99);
      if (event < 6) flip(world.dead);
      if (event >= 6 && event < 9) flip(world.mute);
      if (event >= 9 && event < 12) flip(world.full);
      if (event >= 12 && event < 15) world.alive = !world.alive;
      world.check();
    }
    // The storm is over: within a bounded time all is well.
    world.dead.clear();
    world.mute.clear();
    world.full.clear();
    world.alive = true;
    for (int step = 0; step < 200; ++step) world.check();
    ASSERT_EQ(world.state(), State::kUp);
    ASSERT_TRUE(world.health.excluded().empty());
    ASSERT_FALSE(world.health.hurries([](const IpAddress&) { return true; }));
  }
}

TEST(BackendHealth, AnAddressThatCannotBeUsedHidesNoDeadBackend) {
  World world(4, {2, 3});
  world.mute = {source(2), source(3), source(4)};
  for (int i = 0; i < 8; ++i) world.check();
  ASSERT_EQ(world.state(), State::kUp);
  world.alive = false;
  for (int i = 0; i < 4 * 3; ++i) world.check();
  EXPECT_EQ(world.state(), State::kDown);
}

TEST(BackendHealth, WithoutASourceNothingIsLearned) {
  World world(1, {2, 3});
  world.check();
  world.full = {source(1)};
  for (int i = 0; i < 10; ++i) world.check();
  EXPECT_EQ(world.state(), State::kUp);
  EXPECT_EQ(world.health.standing().detail, "no source address has room for a check");
}

TEST(BackendHealth, HurriesToAFirstVerdictAndToOneOnAPath) {
  const auto all = [](const IpAddress&) { return true; };
  World world(3, {2, 3});
  EXPECT_FALSE(world.health.hurries(all));
  world.alive = false;
  world.check();
  EXPECT_TRUE(world.health.hurries(all));
  world.alive = true;
  world.check();  // contradicts the first one's failure
  EXPECT_TRUE(world.health.hurries(all));
  world.check();
  ASSERT_EQ(world.last, source(1));
  EXPECT_FALSE(world.health.hurries(all));

  world.alive = false;  // a backend that goes down does so at its usual pace
  world.check();
  EXPECT_FALSE(world.health.hurries(all));
  world.check();
  world.check();
  ASSERT_EQ(world.state(), State::kDown);
  EXPECT_FALSE(world.health.hurries(all));
}

TEST(BackendHealth, WhoTakesOverGoesOnWithWhatTheActiveFound) {
  World world(3, {2, 3});
  world.dead = {source(2)};
  world.health.take_over(PeerVerdict{false, "", {source(2), source(77)}}, TimePoint() + 1h);
  EXPECT_EQ(world.state(), State::kUp);
  EXPECT_EQ(world.health.excluded(), std::vector{source(2)});
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(world.check()) << i;
  world.dead.clear();
  for (int i = 0; i < 40; ++i) world.check();
  EXPECT_TRUE(world.health.excluded().empty());

  world.health.take_over(PeerVerdict{true, "connection refused", {source(1), source(2), source(3)}}, TimePoint() + 2h);
  EXPECT_EQ(world.state(), State::kDown);
  EXPECT_TRUE(world.health.excluded().empty()) << "one remains to check from";
  EXPECT_FALSE(world.check());
  EXPECT_TRUE(world.check());
  EXPECT_EQ(world.state(), State::kUp) << "its own checks count";
}

TEST(BackendHealth, WithoutAWordOfTheActiveItsOwnVerdictGoesOn) {
  World world(3, {2, 3});
  world.health.take_over(std::nullopt, TimePoint() + 1h);
  EXPECT_EQ(world.state(), State::kChecking);
  world.alive = false;
  for (int i = 0; i < 3; ++i) world.check();
  ASSERT_EQ(world.state(), State::kDown);
  world.health.take_over(std::nullopt, TimePoint() + 2h);
  EXPECT_EQ(world.state(), State::kDown);
  EXPECT_EQ(world.health.standing().failure, Failure::kNone);
  for (int i = 0; i < 3; ++i) world.check();
  EXPECT_EQ(world.health.standing().failure, Failure::kConnect) << "confirmed from the pool";
}

}  // namespace
}  // namespace wsl4::health
