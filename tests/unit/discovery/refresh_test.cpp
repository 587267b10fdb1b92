#include "daemon/discovery/refresh.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace wsl4::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Turn = Refresh::Turn;

const WallClock::time_point kNow{seconds(1'700'000'000)};

std::vector<Backend> list(std::initializer_list<int> hosts) {
  std::vector<Backend> backends;
  for (const int host : hosts) {
    const auto address = *netlink::Endpoint::parse(fmt::format("198.18.0.{}:80", host));
    backends.push_back({address, 100, address.to_string()});
  }
  return backends;
}

Found good(std::vector<Backend> backends, int ttl = 60) { return {{std::move(backends), 0}, seconds(ttl), ""}; }
Found bad(std::string problem = "it broke", std::vector<Backend> backends = {}) {
  return {{std::move(backends), 0}, seconds(0), std::move(problem)};
}

TEST(DiscoveryRefresh, AListIsToldWhenItIsAnotherOne) {
  Refresh refresh({});
  EXPECT_TRUE(refresh.take(good(list({1, 2})), kNow, 0).changed);
  EXPECT_FALSE(refresh.take(good(list({1, 2})), kNow, 0).changed);
  EXPECT_TRUE(refresh.take(good(list({2})), kNow, 0).changed);
  EXPECT_EQ(refresh.backends(), list({2}));
  EXPECT_EQ(refresh.status().last_success, kNow);
  EXPECT_FALSE(refresh.status().failing);
}

TEST(DiscoveryRefresh, TheListFromBeforeIsInUseAndNoNews) {
  Refresh refresh(list({1}));
  EXPECT_EQ(refresh.backends(), list({1}));
  EXPECT_FALSE(refresh.take(good(list({1})), kNow, 0).changed);
}

TEST(DiscoveryRefresh, TheNextLookFollowsTheTtlWithinBounds) {
  Refresh refresh({});
  for (const auto& [ttl, wait] : {std::pair{0, 1}, {1, 1}, {2, 2}, {3599, 3599}, {3600, 3600}, {86'400, 3600}}) {
    const auto step = refresh.take(good(list({1}), ttl), kNow, 0.5);
    EXPECT_EQ(step.wait, seconds(wait)) << ttl;
    EXPECT_EQ(refresh.status().next_look, kNow + step.wait);
  }
}

TEST(DiscoveryRefresh, AFailureKeepsTheListAndIsToldOnce) {
  Refresh refresh({});
  refresh.take(good(list({1})), kNow, 0);
  auto step = refresh.take(bad("first"), kNow + seconds(60), 0);
  EXPECT_FALSE(step.changed);
  EXPECT_EQ(step.turn, Turn::kFailed);
  EXPECT_EQ(refresh.backends(), list({1}));
  EXPECT_TRUE(refresh.status().failing);
  EXPECT_EQ(refresh.status().last_success, kNow);
  EXPECT_EQ(refresh.take(bad("second"), kNow, 0).turn, Turn::kNone);
  EXPECT_EQ(refresh.status().last_error, "second");

  step = refresh.take(good(list({1})), kNow, 0);
  EXPECT_EQ(step.turn, Turn::kRecovered);
  EXPECT_FALSE(step.changed);
  EXPECT_FALSE(refresh.status().failing);
  EXPECT_EQ(refresh.status().last_error, "second");
  EXPECT_EQ(refresh.take(good(list({1})), kNow, 0).turn, Turn::kNone);
}

TEST(DiscoveryRefresh, AFirstFailureIsTold) {
  Refresh refresh({});
  EXPECT_EQ(refresh.take(bad(), kNow, 0).turn, Turn::kFailed);
  EXPECT_TRUE(refresh.backends().empty());
  EXPECT_FALSE(refresh.status().last_success);
}

TEST(DiscoveryRefresh, AListWithAProblemIsUsedAndLookedUpAgainSoon) {
  Refresh refresh({});
  const auto step = refresh.take(bad("half of it", list({1})), kNow, 1);
  EXPECT_TRUE(step.changed);
  EXPECT_EQ(step.turn, Turn::kFailed);
  EXPECT_EQ(step.wait, kFirstRetry);
  EXPECT_EQ(refresh.backends(), list({1}));
}

TEST(DiscoveryRefresh, RetriesBackOffWithJitterAndBeginAnewAfterASuccess) {
  for (const double chance : {0.0, 0.3, 1.0}) {
    Refresh refresh({});
    for (int times = 0; times < 2; ++times) {
      for (const int most : {2, 4, 8, 16, 32, 60, 60, 60}) {
        const auto wait = refresh.take(bad(), kNow, chance).wait;
        EXPECT_EQ(wait, milliseconds(500 * most) + milliseconds(static_cast<int>(500 * most * chance)));
        EXPECT_GE(wait, seconds(1));
        EXPECT_LE(wait, seconds(60));
      }
      refresh.take(good(list({1})), kNow, chance);
    }
  }
}

TEST(DiscoveryRefresh, HowManyWereCutIsShownWithTheList) {
  Refresh refresh({});
  auto found = good(list({1}));
  found.selection.cut = 7;
  refresh.take(found, kNow, 0);
  EXPECT_EQ(refresh.status().cut, 7U);
  refresh.take(bad(), kNow, 0);
  EXPECT_EQ(refresh.status().cut, 7U);
  refresh.take(good(list({1})), kNow, 0);
  EXPECT_EQ(refresh.status().cut, 0U);
}

}  // namespace
}  // namespace wsl4::discovery
