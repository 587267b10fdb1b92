#include "daemon/balance/deal_clock.h"

#include <gtest/gtest.h>

#include <optional>

namespace wsl4::balance {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto kNoLimit = std::nullopt;

DealClock::TimePoint at(milliseconds time) { return DealClock::TimePoint{} + time; }

/// A clock whose last deal was at `time`, from rest.
DealClock dealt_at(milliseconds time) {
  DealClock clock;
  EXPECT_EQ(clock.deal(at(time), kNoLimit), 1);
  return clock;
}

bool is_due(const DealClock& clock, milliseconds now, std::optional<std::uint64_t> free = kNoLimit) {
  const auto due = clock.due(free);
  return due && *due <= at(now);
}

/// Tells of `rate` flows per second, every 10 ms for `span`, and deals whenever it is due. Returns how many deals there were.
int feed(DealClock& clock, milliseconds from, milliseconds span, int rate, std::optional<std::uint64_t> free = kNoLimit) {
  int deals = 0;
  for (auto now = from; now < from + span; now += 10ms) {
    clock.arrived(static_cast<std::uint64_t>(rate / 100), at(now));
    if (!is_due(clock, now, free)) continue;
    static_cast<void>(clock.deal(at(now), free));
    ++deals;
  }
  return deals;
}

TEST(DealClock, TheFirstDealIsDueAtOnce) { EXPECT_TRUE(is_due(DealClock(), 0ms)); }

TEST(DealClock, NothingChangedNothingDealt) {
  auto clock = dealt_at(1s);
  EXPECT_EQ(clock.due(kNoLimit), std::nullopt);
  clock.arrived(0, at(2s));
  EXPECT_EQ(clock.due(1), std::nullopt);
}

TEST(DealClock, AChangeWaitsForTheInterval) {
  auto clock = dealt_at(1s);
  clock.changed();
  EXPECT_EQ(clock.due(kNoLimit), at(1100ms));
  clock.arrived(2, at(1001ms));
  EXPECT_EQ(clock.due(kNoLimit), at(1100ms));
}

TEST(DealClock, WhatIsUrgentWaitsForTheShortestInterval) {
  auto clock = dealt_at(1s);
  clock.urgent();
  EXPECT_EQ(clock.due(kNoLimit), at(1010ms));
  EXPECT_EQ(clock.deal(at(1010ms), kNoLimit), 1);
  clock.changed();
  EXPECT_EQ(clock.due(kNoLimit), at(1110ms)) << "it was dealt with";
}

TEST(DealClock, MoreThanTwiceWhatItWasDealtForIsDealtSooner) {
  auto clock = dealt_at(1s);
  clock.arrived(3, at(1004ms));
  EXPECT_EQ(clock.due(kNoLimit), at(1010ms));
}

TEST(DealClock, ATenthOfWhatIsFreeIsDealtSooner) {
  auto clock = dealt_at(1s);
  feed(clock, 1s, 5s, 1000);  // A is about 100
  static_cast<void>(clock.deal(at(6s), 500));
  clock.arrived(49, at(6s));
  EXPECT_EQ(clock.due(500), at(6100ms));
  EXPECT_EQ(clock.due(490), at(6010ms));
  EXPECT_EQ(clock.due(kNoLimit), at(6100ms));
}

TEST(DealClock, TheLastFreeOneTakesAnArrival) {
  auto clock = dealt_at(1s);
  clock.changed();
  EXPECT_EQ(clock.due(1), at(1100ms));
  clock.arrived(1, at(1001ms));
  EXPECT_EQ(clock.due(1), at(1010ms));
}

TEST(DealClock, SteadyFlowsAreDealtTenTimesASecondForWhatComesUntilThen) {
  auto clock = dealt_at(1s);
  EXPECT_LE(feed(clock, 1s, 10s, 1000), 105) << "a few more while it learns the rate";
  EXPECT_NEAR(clock.deal(at(11s), kNoLimit), 100, 10);
}

TEST(DealClock, TheNearerTheEndTheFewerArrivalsItIsDealtFor) {
  auto clock = dealt_at(1s);
  feed(clock, 1s, 5s, 1000);
  EXPECT_NEAR(clock.deal(at(6s), 100'000), 100, 10) << "far away";
  EXPECT_EQ(clock.deal(at(6s), 500), 50) << "dealt again after a tenth of it";
  EXPECT_NEAR(clock.deal(at(6s), 20), 10, 1) << "10 ms are the shortest";
}

TEST(DealClock, ABurstIsDealtForWithin20ms) {
  auto clock = dealt_at(1s);
  clock.arrived(100, at(2s));
  EXPECT_TRUE(is_due(clock, 2s));
  EXPECT_EQ(clock.deal(at(2s), kNoLimit), 100);
  clock.arrived(100, at(2010ms));
  EXPECT_EQ(clock.due(kNoLimit), at(2100ms)) << "as expected";
  clock.arrived(101, at(2020ms));
  EXPECT_EQ(clock.due(kNoLimit), at(2010ms)) << "doubled";
  EXPECT_GT(clock.deal(at(2020ms), kNoLimit), 200);
}

TEST(DealClock, AfterABurstTheRateFallsOverASecond) {
  auto clock = dealt_at(1s);
  feed(clock, 1s, 3s, 10'000);
  EXPECT_NEAR(clock.deal(at(4s), kNoLimit), 1000, 100);
  EXPECT_NEAR(clock.deal(at(5s), kNoLimit), 1000 / 2.718, 50);
  EXPECT_NEAR(clock.deal(at(7s), kNoLimit), 1000 / 20.1, 10);
  EXPECT_EQ(clock.deal(at(20s), kNoLimit), 1) << "at least one";
}

TEST(DealClock, FlowsExpectedAreDealtForBeforeTheyCome) {
  auto clock = dealt_at(1s);
  clock.expect(20'000, at(2s));
  EXPECT_TRUE(is_due(clock, 2s));
  EXPECT_EQ(clock.deal(at(2s), kNoLimit), 2000);
  clock.arrived(1000, at(2050ms));
  EXPECT_EQ(clock.due(kNoLimit), at(2100ms));
}

TEST(DealClock, AFlowFromRestMayBeTheFirstOfMany) {
  auto clock = dealt_at(1s);
  for (auto now = 2'000ms; now < 20s; now += 250ms) {
    clock.arrived(1, at(now));
    ASSERT_TRUE(is_due(clock, now));
    ASSERT_EQ(clock.deal(at(now), kNoLimit), DealClock::kPerhapsMore);
    ASSERT_EQ(clock.due(kNoLimit), at(now + 100ms)) << "by then it is known";
    ASSERT_EQ(clock.deal(at(now + 100ms), kNoLimit), 1);
    ASSERT_EQ(clock.due(kNoLimit), std::nullopt);
  }
}

TEST(DealClock, FromRestItIsDealtForNoMoreThanIsFree) {
  auto clock = dealt_at(1s);
  clock.arrived(1, at(2s));
  EXPECT_EQ(clock.deal(at(2s), 3), 3) << "or flows would be refused while there is room";
}

TEST(DealClock, FewFlowsInARowAreDealtForOneByOne) {
  auto clock = dealt_at(1s);
  for (auto now = 1'060ms; now < 3s; now += 60ms) {
    clock.arrived(1, at(now));
    if (!is_due(clock, now)) continue;
    ASSERT_LE(clock.deal(at(now), kNoLimit), 2);
  }
}

}  // namespace
}  // namespace wsl4::balance
