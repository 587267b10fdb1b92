#include "daemon/service/newcomers.h"

#include <gtest/gtest.h>

#include "tests/support/desired_states.h"

namespace wsl4::service {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kSeen{1000h};
constexpr WallTime kLongAgo{};

/// Service chat with backends at .1, .2 and .3.
DesiredState state(std::chrono::milliseconds slow_start = 60s) {
  DesiredState state;
  state.services["chat"] = test::make_service("chat", {"198.18.0.10:443"}, {"198.18.2.1:80", "198.18.2.2:80", "198.18.2.3:80"}, 1);
  state.services["chat"].slow_start = slow_start;
  return state;
}

/// After an update: since when each backend serves.
std::vector<WallTime> update(Newcomers& newcomers, DesiredState state, WallTime now) {
  newcomers.accept({{"chat", newcomers.look_at(state.services.at("chat"), now)}});
  std::vector<WallTime> since;
  for (const auto& backend : state.services.at("chat").backends) since.push_back(backend.serving_since);
  return since;
}

using Times = std::vector<WallTime>;

TEST(Newcomers, BackendsThatBeginTogetherAreNone) {
  Newcomers newcomers;
  EXPECT_EQ(update(newcomers, state(), kSeen), (Times{kLongAgo, kLongAgo, kLongAgo}));
  EXPECT_TRUE(newcomers.starting().empty());
}

TEST(Newcomers, OneThatJoinsIsOneUntilItsTimeIsOver) {
  Newcomers newcomers;
  auto two = state();
  two.services.at("chat").backends.pop_back();
  update(newcomers, two, kSeen);
  EXPECT_EQ(update(newcomers, state(), kSeen + 5s), (Times{kLongAgo, kLongAgo, kSeen + 5s}));
  EXPECT_EQ(update(newcomers, state(), kSeen + 64s), (Times{kLongAgo, kLongAgo, kSeen + 5s})) << "other changes do not restart it";
  EXPECT_EQ(update(newcomers, state(), kSeen + 65s), (Times{kLongAgo, kLongAgo, kLongAgo}));
}

TEST(Newcomers, OneThatComesBackStartsAgain) {
  Newcomers newcomers;
  update(newcomers, state(), kSeen);
  auto down = state();
  down.services.at("chat").backends[1].share_weight = 0;
  update(newcomers, down, kSeen + 1s);
  EXPECT_EQ(update(newcomers, state(), kSeen + 2s)[1], kSeen + 2s);
}

TEST(Newcomers, ARestartGoesOnWhereItWas) {
  const auto address = [](int host) { return test::endpoint("198.18.2." + std::to_string(host) + ":80"); };
  Newcomers newcomers({{"chat", address(1)}, {"chat", address(2)}}, {{"chat", address(2), kSeen - 30s}});
  EXPECT_EQ(update(newcomers, state(), kSeen), (Times{kLongAgo, kSeen - 30s, kSeen})) << "the third joined while no daemon ran";
  EXPECT_EQ(newcomers.starting(), (std::vector<Newcomer>{{"chat", address(2), kSeen - 30s}, {"chat", address(3), kSeen}}));
}

TEST(Newcomers, OneWhoseBeginningIsStillToComeBeginsNow) {
  Newcomers newcomers;
  auto two = state();
  two.services.at("chat").backends.pop_back();
  update(newcomers, two, kSeen);
  update(newcomers, state(), kSeen);
  EXPECT_EQ(update(newcomers, state(), kSeen - 1h)[2], kSeen - 1h) << "the clock was set back";
  EXPECT_EQ(update(newcomers, state(), kSeen - 1h + 60s)[2], kLongAgo);
}

TEST(Newcomers, WithoutASlowStartThereAreNone) {
  Newcomers newcomers;
  auto one = state(0s);
  one.services.at("chat").backends.resize(1);
  update(newcomers, one, kSeen);
  EXPECT_EQ(update(newcomers, state(0s), kSeen + 1s), (Times{kLongAgo, kLongAgo, kLongAgo}));
}

}  // namespace
}  // namespace wsl4::service
