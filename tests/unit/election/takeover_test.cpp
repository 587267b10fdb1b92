#include "daemon/election/takeover.h"

#include <gtest/gtest.h>

namespace wsl4::election {
namespace {

using namespace std::chrono_literals;
using Steps = std::vector<Step>;

constexpr TimePoint kStart = TimePoint{} + 1h;

/// Each step takes a millisecond.
Steps walk(Takeover& takeover, Duration from = 0ms) {
  Steps steps;
  TimePoint now = kStart + from;
  while (const auto step = takeover.next(now)) {
    steps.push_back(*step);
    now += 1ms;
    takeover.finished(*step, now);
  }
  return steps;
}

Steps steps_of(Plan plan) {
  Takeover takeover(plan, kStart);
  auto steps = walk(takeover);
  EXPECT_TRUE(takeover.complete());
  return steps;
}

TEST(Takeover, HasItsOrder) {
  EXPECT_EQ(steps_of(Plan::kTake),
            (Steps{Step::kGuardDrop, Step::kAddAddresses, Step::kAnnounce, Step::kAwaitEntries, Step::kGuardReject}));
  Takeover meet(Plan::kMeet, kStart);
  for (const auto step : {Step::kGuardDrop, Step::kAnnounce}) {
    EXPECT_EQ(meet.next(kStart), step);
    meet.finished(step, kStart);
  }
  EXPECT_EQ(meet.next(kStart), Step::kAwaitEntries);
  EXPECT_EQ(meet.next(kStart + Takeover::kStepLimit).value_or(Step::kAnnounce), Step::kAnnounce);
  EXPECT_FALSE(meet.complete());
  EXPECT_EQ(steps_of(Plan::kMeet), (Steps{Step::kGuardDrop, Step::kAnnounce, Step::kAwaitEntries, Step::kGuardReject}));
  EXPECT_EQ(steps_of(Plan::kHandOver), (Steps{Step::kDrain, Step::kGuardStandby, Step::kRemoveAddresses}));
  EXPECT_EQ(steps_of(Plan::kStepDown), (Steps{Step::kDrain, Step::kGuardStandby, Step::kRemoveAddresses}));
  EXPECT_EQ(steps_of(Plan::kWithdraw), (Steps{Step::kGuardStandby, Step::kRemoveAddresses}));
}

TEST(Takeover, BeginsAStepWhenTheOneBeforeItIsDone) {
  Takeover takeover(Plan::kTake, kStart);
  EXPECT_EQ(takeover.next(kStart), Step::kGuardDrop);
  EXPECT_EQ(takeover.next(kStart), std::nullopt);
  takeover.finished(Step::kAddAddresses, kStart + 1ms);
  EXPECT_EQ(takeover.next(kStart + 1ms), std::nullopt) << "not the step under way";
  takeover.finished(Step::kGuardDrop, kStart + 5ms);
  EXPECT_EQ(takeover.next(kStart + 5ms), Step::kAddAddresses);
}

TEST(Takeover, MeasuresItsPhases) {
  Takeover takeover(Plan::kWithdraw, kStart);
  (void)takeover.next(kStart);
  takeover.finished(Step::kGuardStandby, kStart + 7ms);
  (void)takeover.next(kStart + 8ms);
  EXPECT_EQ(takeover.due(), kStart + 8ms + Takeover::kRemoveLimit);
  (void)takeover.next(kStart + 8ms + Takeover::kRemoveLimit);
  ASSERT_EQ(takeover.phases().size(), 2U);
  EXPECT_EQ(takeover.phases()[0].took, 7ms);
  EXPECT_TRUE(takeover.phases()[0].done);
  EXPECT_EQ(takeover.phases()[1].took, Takeover::kRemoveLimit);
  EXPECT_FALSE(takeover.phases()[1].done);
  EXPECT_TRUE(takeover.complete()) << "no step is waited for for ever";
}

TEST(Takeover, RepeatsAnnouncementsWhateverElseGoesOn) {
  Takeover takeover(Plan::kTake, kStart);
  for (const auto step : {Step::kGuardDrop, Step::kAddAddresses, Step::kAnnounce}) {
    ASSERT_EQ(takeover.next(kStart), step);
    takeover.finished(step, kStart);
  }
  ASSERT_EQ(takeover.next(kStart), Step::kAwaitEntries);
  EXPECT_EQ(takeover.due(), kStart + 500ms);
  EXPECT_EQ(takeover.next(kStart + 500ms), Step::kAnnounce);
  takeover.finished(Step::kAnnounce, kStart + 501ms);
  EXPECT_EQ(takeover.next(kStart + 501ms), std::nullopt);
  takeover.finished(Step::kAwaitEntries, kStart + 600ms);
  EXPECT_EQ(takeover.next(kStart + 600ms), Step::kGuardReject);
  takeover.finished(Step::kGuardReject, kStart + 601ms);
  EXPECT_TRUE(takeover.complete());
  int repeated = 1;
  while (const auto due = takeover.due()) {
    ASSERT_EQ(takeover.next(*due), Step::kAnnounce);
    ++repeated;
    ASSERT_LE(*due, kStart + Takeover::kAnnounceFor);
  }
  EXPECT_EQ(repeated, 10);
}

TEST(Takeover, WithoutADrainedQueueNothingIsHandedOver) {
  Takeover takeover(Plan::kHandOver, kStart);
  EXPECT_EQ(takeover.next(kStart), Step::kDrain);
  EXPECT_TRUE(takeover.only_draining());
  EXPECT_EQ(takeover.next(kStart + Takeover::kStepLimit), std::nullopt);
  EXPECT_TRUE(takeover.failed());
  EXPECT_FALSE(takeover.complete());
  EXPECT_EQ(takeover.due(), std::nullopt);
}

TEST(Takeover, AStepDownAndAForcedHandOverGoOnWithoutADrainedQueue) {
  for (const auto plan : {Plan::kStepDown, Plan::kForcedHandOver}) {
    Takeover takeover(plan, kStart);
    EXPECT_EQ(takeover.next(kStart), Step::kDrain);
    EXPECT_EQ(takeover.next(kStart + Takeover::kStepLimit), Step::kGuardStandby);
  }
}

TEST(Takeover, WaitsForTheChangeThatItsPredecessorBegan) {
  Takeover first(Plan::kTake, kStart);
  (void)first.next(kStart);
  first.finished(Step::kGuardDrop, kStart);
  EXPECT_EQ(first.next(kStart), Step::kAddAddresses);
  Takeover second(Plan::kWithdraw, kStart + 1ms, first.outstanding());
  EXPECT_EQ(second.next(kStart + 1ms), std::nullopt);
  second.finished(Step::kAddAddresses, kStart + 2ms);
  EXPECT_EQ(walk(second, 2ms), (Steps{Step::kGuardStandby, Step::kRemoveAddresses}));
  EXPECT_EQ(second.phases().size(), 2U);
}

TEST(Takeover, DoesNotWaitForItsPredecessorsWaiting) {
  Takeover first(Plan::kHandOver, kStart);
  EXPECT_EQ(first.next(kStart), Step::kDrain);
  EXPECT_EQ(first.outstanding(), std::nullopt);
}

}  // namespace
}  // namespace wsl4::election
