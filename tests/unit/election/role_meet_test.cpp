// Two active nodes meet, or one of them hears late that there was another.
#include <gtest/gtest.h>

#include "tests/unit/election/role_bed.h"

namespace wsl4::election {
namespace {

TEST(TwoActives, TheLowerStepsDownAfterItsFlowsWereSent) {
  for (const bool by_advert : {false, true}) {
    RoleBed bed;
    bed.become_active();
    bed.prompt = false;
    bed.peer.ballot.priority = 150;
    bed.connect(by_advert ? Role::kInit : Role::kActive);
    if (by_advert) {
      bed.hear_advert(150);
      bed.peer.role = Role::kActive;
      bed.hear();
    }
    EXPECT_EQ(bed.done(), (Words{"role standby higher-active", "step drain"}));
    bed.finish(Step::kDrain);
    bed.finish(Step::kGuardStandby);
    bed.finish(Step::kRemoveAddresses);
    EXPECT_EQ(bed.done(), (Words{"step guard-standby", "step remove-addresses"})) << "what it had may not be known yet";
    bed.sync();
    EXPECT_EQ(bed.done(), Words{"follow"});
  }
}

/// Promoted 500 ms ago, and so was the peer, in a split.
RoleBed promoted_bed(int peers_priority, std::optional<Word> peers) {
  RoleBed bed(settings(false, true));
  bed.pass(1100);
  EXPECT_TRUE(bed.machine.promote(bed.now()));
  bed.pass(500);
  bed.peer.ballot.priority = peers_priority;
  bed.peer.word = peers;
  bed.done();
  bed.connect(Role::kActive);
  return bed;
}

TEST(TwoActives, UnderExternalElectionTheLaterWordCounts) {
  using std::chrono::milliseconds;
  constexpr int kLower = 50, kHigher = 150;
  auto later = promoted_bed(kLower, Word{milliseconds(400)});
  EXPECT_EQ(later.machine.role(), Role::kStandby) << "the peer was promoted later, whatever the priorities";
  auto earlier = promoted_bed(kLower, Word{milliseconds(600)});
  EXPECT_EQ(earlier.machine.role(), Role::kActive);
  EXPECT_TRUE(earlier.machine.state(earlier.now()).word->last) << "which the peer waits for";
  earlier.peer.word = Word{milliseconds(1)};
  earlier.hear();
  EXPECT_EQ(earlier.machine.role(), Role::kActive) << "what was said once holds, or both step down";
  auto told = promoted_bed(kHigher, Word{milliseconds(400)});
  EXPECT_EQ(told.machine.role(), Role::kActive) << "the higher one compares";
  EXPECT_FALSE(told.machine.state(told.now()).word->last);
  told.peer.word->last = true;
  told.hear();
  EXPECT_EQ(told.machine.role(), Role::kStandby);
  EXPECT_EQ(promoted_bed(kHigher, {}).machine.role(), Role::kStandby) << "of the version before: by priority";
  EXPECT_EQ(promoted_bed(kLower, {}).machine.role(), Role::kActive);
}

TEST(TwoActives, APromotionOfAnActiveIsALaterWord) {
  auto bed = RoleBed(settings(false, true));
  bed.pass(1100);
  EXPECT_TRUE(bed.machine.promote(bed.now()));
  bed.pass(500);
  EXPECT_EQ(bed.machine.state(bed.now()).word->age, std::chrono::milliseconds(500));
  EXPECT_TRUE(bed.machine.promote(bed.now()));
  EXPECT_EQ(bed.machine.state(bed.now()).word->age, std::chrono::milliseconds(0));
}

TEST(TwoActives, AWordThatWasSaidBeforeTheStartIsAsOldAsItIs) {
  auto remembered = settings(false, true);
  remembered.promoted = true;
  remembered.promoted_ago = std::chrono::hours(1);
  RoleBed bed(remembered);
  bed.pass(1100);
  EXPECT_EQ(bed.machine.state(bed.now()).word->age, std::chrono::hours(1) + std::chrono::milliseconds(1100));
}

/// The other one, of which nothing is heard any more: once, when it says that it has given the role up.
void expect_stays_once_it_is_heard(RoleBed& bed) {
  bed.pass(1000);
  EXPECT_FALSE(bed.did("stays")) << "it may be active still";
  bed.connect(Role::kStandby);
  EXPECT_TRUE(bed.did("stays"));
  bed.done();
  bed.pass(1000);
  EXPECT_FALSE(bed.did("stays"));
}

TEST(TwoActives, TheOneThatStaysSaysSoOnceTheOtherHasSteppedDown) {
  for (const bool external : {false, true}) {
    RoleBed bed(settings(false, external));
    bed.pass(1100);
    EXPECT_EQ(bed.machine.promote(bed.now()).has_value(), external);
    bed.pass(100);
    bed.connect(Role::kActive);
    EXPECT_FALSE(bed.did("stays"));
    bed.disconnect();
    expect_stays_once_it_is_heard(bed);
  }
}

TEST(TwoActives, TheOneThatStaysSaysSoAlsoWhereOnlyAnAdvertWasHeard) {
  RoleBed bed;
  bed.become_active();
  bed.hear_advert(50);
  expect_stays_once_it_is_heard(bed);
}

TEST(TwoActives, OneOfWhichNothingWasHeardIsMetByItsFlows) {
  RoleBed bed;
  bed.pair_up();
  bed.disconnect();
  bed.pass(1000);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(bed.done(), Words{});
    bed.connected = true;
    bed.machine.session({true, false, false, true}, bed.now());
    bed.note();
    EXPECT_EQ(bed.done(), Words{}) << "who stays is not known yet";
    bed.hear();
    EXPECT_EQ(bed.done(), (Words{"stays", "step guard-drop", "step await-entries", "step guard-reject"}))
        << "also soon after another";
    bed.pass(1000);
    bed.sync();
    bed.disconnect();
  }
}

TEST(TwoActives, WhoeverHandsOverStillHasFlowsAndIsNoOtherActive) {
  RoleBed bed;
  bed.stand_by();
  bed.machine.session({true, true, true, true}, bed.now());
  bed.peer.offer = Offer::kFailover;
  bed.hear();
  bed.peer.role = Role::kStandby;
  bed.peer.grant = bed.machine.state(bed.now()).claim;
  bed.peer.offer = Offer::kNone;
  bed.hear();
  EXPECT_EQ(bed.done(),
            (Words{"role active granted", "step guard-drop", "step add-addresses", "step await-entries", "step guard-reject"}));
  bed.pass(1000);
  bed.sync();
  EXPECT_EQ(bed.done(), Words{});
}

TEST(TwoActives, WithoutASessionTheLowerStepsDownAtOnce) {
  RoleBed bed;
  bed.become_active();
  bed.hear_advert(150);
  EXPECT_EQ(bed.done(), (Words{"role standby higher-active", "step guard-standby", "step remove-addresses"}));
}

TEST(TwoActives, TheHigherDropsUnknownPacketsUntilTheOthersFlowsAreIn) {
  for (const bool by_advert : {false, true}) {
    RoleBed bed;
    bed.become_active();
    if (by_advert) {
      bed.hear_advert(50);
    } else {
      bed.connect(Role::kActive);
    }
    EXPECT_EQ(bed.done(), (Words{"step guard-drop", "step await-entries", "step guard-reject"}));
    bed.hear_advert(50);
    EXPECT_EQ(bed.done(), Words{}) << "not again and again";
    EXPECT_EQ(bed.machine.role(), Role::kActive);
  }
}

TEST(TwoActives, OfEqualsTheGreaterAddressStays) {
  for (const auto* other : {"198.18.0.1", "198.18.0.3"}) {
    RoleBed bed;
    bed.become_active();
    bed.peer.ballot = {1000, 100, ip(other)};
    bed.connect(Role::kActive);
    EXPECT_EQ(bed.machine.role() == Role::kActive, ip(other) < ip("198.18.0.2"));
  }
}

}  // namespace
}  // namespace wsl4::election
