#include "daemon/runtime/picks.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;

constexpr Picks::TimePoint kPicked{1h};

PickCandidate candidate(int host, std::uint64_t connections, int weight = 100, std::optional<std::uint64_t> room = {}) {
  return {*netlink::Endpoint::parse("198.18.2." + std::to_string(host) + ":80"), connections, weight, room};
}

TEST(Picks, TheOneWithMostRoomForItsWeight) {
  Picks picks;
  EXPECT_EQ(picks.pick("chat", std::vector{candidate(1, 20), candidate(2, 10), candidate(3, 15)}, kPicked), 1U);
  EXPECT_EQ(picks.pick("talk", std::vector{candidate(1, 20, 300), candidate(2, 10, 100)}, kPicked), 0U);
}

TEST(Picks, ABurstSpreadsAsIfItWereConnected) {
  Picks picks;
  const std::vector candidates{candidate(1, 100), candidate(2, 40), candidate(3, 70)};
  std::map<std::size_t, int> picked;
  for (int i = 0; i < 90; ++i) ++picked[picks.pick("chat", candidates, kPicked + std::chrono::milliseconds(i)).value()];
  EXPECT_EQ(picked, (std::map<std::size_t, int>{{1, 60}, {2, 30}}));
}

TEST(Picks, WhatDidNotComeIsForgotten) {
  Picks picks;
  const std::vector candidates{candidate(1, 2), candidate(2, 0)};
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), 1U);
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), 1U);
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), 0U);
  EXPECT_EQ(picks.pick("chat", candidates, kPicked + Picks::kLifetime), 1U);
}

TEST(Picks, OfAnotherServiceDoNotCount) {
  Picks picks;
  const std::vector candidates{candidate(1, 0), candidate(2, 0)};
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), 0U);
  EXPECT_EQ(picks.pick("talk", candidates, kPicked), 0U);
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), 1U);
}

TEST(Picks, NobodyWithoutAWeightOrRoom) {
  Picks picks;
  const std::vector candidates{candidate(1, 0, 0), candidate(2, 50, 100, 1)};
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), 1U);
  EXPECT_EQ(picks.pick("chat", candidates, kPicked), std::nullopt) << "the pick before takes the last place";
}

}  // namespace
}  // namespace wsl4::runtime
