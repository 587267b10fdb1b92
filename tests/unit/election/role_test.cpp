// Who takes the role, and when. How it is given up: role_leave_test.cpp.
#include <gtest/gtest.h>

#include "tests/unit/election/role_bed.h"

namespace wsl4::election {
namespace {

TEST(RoleAtTheStart, ALoneNodeWaitsForASessionAndThenTakesTheRoleInOrder) {
  RoleBed bed;
  bed.pass(990);
  EXPECT_EQ(bed.machine.role(), Role::kInit);
  bed.pass(10);
  EXPECT_EQ(bed.done(),
            (Words{"role active silence", "step guard-drop", "step add-addresses", "step await-entries", "step guard-reject"}));
  EXPECT_EQ(bed.machine.role(), Role::kActive);
}

TEST(RoleAtTheStart, AnActiveThatIsHeardMakesAStandby) {
  RoleBed bed;
  bed.hear_advert(1);
  EXPECT_EQ(bed.done(), Words{"role standby heard"});
}

TEST(RoleAtTheStart, AReturningNodeFollowsOnlyWhenThePeerSaysThatItIsActive) {
  RoleBed bed;
  bed.connect(Role::kStandby);
  bed.pass(50);
  EXPECT_EQ(bed.done(), Words{});
  bed.peer.role = Role::kActive;
  bed.hear();
  EXPECT_EQ(bed.done(), (Words{"role standby heard", "follow"}));
  bed.pass(500);
  EXPECT_EQ(bed.done(), Words{}) << "once";
}

TEST(RoleAtTheStart, IsNotTakenBesideAnActiveWithWhichNoSessionCanBeHad) {
  RoleBed bed;
  for (int i = 0; i < 5; ++i) {
    bed.machine.peer_disagrees(true, bed.now());
    bed.pass(1000);
  }
  EXPECT_EQ(bed.done(), Words{"role standby heard"});
  bed.machine.peer_disagrees(false, bed.now());
  bed.pass(10);
  EXPECT_EQ(bed.machine.role(), Role::kActive) << "it is active no more";

  RoleBed other;
  other.machine.peer_disagrees(true, other.now());
  other.pass(2900);
  EXPECT_EQ(other.machine.role(), Role::kStandby);
  other.pass(200);
  EXPECT_EQ(other.machine.role(), Role::kActive) << "nobody is there any more";
}

TEST(RoleWithoutAnActive, IsTakenWithThePeersGrantOnly) {
  RoleBed bed;
  bed.connect(Role::kInit);
  bed.pass(2000);
  EXPECT_EQ(bed.machine.role(), Role::kInit) << "the peer has granted nothing";
  const auto claim = bed.machine.state(bed.now()).claim;
  ASSERT_NE(claim, 0U);
  bed.peer.grant = claim + 1;
  bed.hear();
  EXPECT_EQ(bed.machine.role(), Role::kInit) << "another claim's";
  bed.peer.grant = claim;
  bed.hear();
  EXPECT_TRUE(bed.did("role active granted"));
  EXPECT_EQ(bed.machine.state(bed.now()).claim, 0U);
}

TEST(RoleWithoutAnActive, GoesToWhoHasMoreFlowsThenToTheHigherPriority) {
  struct Case {
    std::uint64_t own, peers;
    int priority;
    bool wins;
  };
  for (const auto& [own, peers, priority, wins] :
       {Case{10, 9, 200, true}, Case{9, 10, 50, false}, Case{9, 9, 50, true}, Case{9, 9, 200, false}}) {
    RoleBed bed;
    bed.machine.set_flows(own);
    bed.connect(Role::kInit);
    bed.peer.claim = 7;
    bed.peer.ballot = {peers, priority, ip("198.18.0.1")};
    bed.hear();
    EXPECT_EQ(bed.machine.state(bed.now()).grant, wins ? 0U : 7U) << own << " " << peers << " " << priority;
    EXPECT_EQ(bed.machine.state(bed.now()).claim != 0, wins) << own << " " << peers << " " << priority;
  }
}

TEST(RoleWithoutAnActive, AClaimKeepsItsBallot) {
  RoleBed bed;
  bed.machine.set_flows(5);
  bed.connect(Role::kInit);
  bed.pass(500);
  bed.machine.set_flows(50);
  bed.pass(100);
  EXPECT_EQ(bed.machine.state(bed.now()).ballot.flows, 5U);
}

TEST(RoleWithoutAnActive, AGrantBindsUntilTheClaimIsGone) {
  RoleBed bed;
  bed.connect(Role::kInit);
  bed.peer.claim = 7;
  bed.peer.ballot.flows = 1;
  bed.hear();
  ASSERT_EQ(bed.machine.state(bed.now()).grant, 7U);
  bed.machine.set_flows(100);
  bed.pass(3000);
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 7U);
  EXPECT_EQ(bed.machine.state(bed.now()).claim, 0U);
  bed.peer.claim = 0;
  bed.hear();
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 0U);
  EXPECT_NE(bed.machine.state(bed.now()).claim, 0U) << "nobody is active, so it wants the role itself";
}

TEST(RoleInSilence, IsNotTakenBecauseAdvertsAreMissing) {
  RoleBed bed;
  bed.stand_by();
  bed.pass(10'000);
  EXPECT_EQ(bed.done(), Words{});
}

TEST(RoleInSilence, OfAdvertsAloneIsMissedByTheStandbyOfAnActive) {
  for (const bool external : {false, true}) {
    RoleBed bed(settings(false, external));
    bed.stand_by();
    EXPECT_FALSE(bed.machine.misses_adverts(bed.now())) << "they may be about to come";
    bed.pass(2500);
    EXPECT_EQ(bed.machine.misses_adverts(bed.now()), !external);
    bed.hear_advert(50);
    EXPECT_FALSE(bed.machine.misses_adverts(bed.now()));
    bed.pass(2500);
    bed.peer.role = Role::kFault;
    bed.hear();
    EXPECT_FALSE(bed.machine.misses_adverts(bed.now())) << "it sends none";
  }
}

TEST(RoleInSilence, IsNotTakenBecauseHeartbeatsAreMissing) {
  RoleBed bed;
  bed.stand_by();
  for (int i = 0; i < 100; ++i) {
    bed.hear_advert(200);
    bed.pass(100, false);
  }
  EXPECT_EQ(bed.done(), Words{});
  bed.disconnect();
  for (int i = 0; i < 100; ++i) {
    bed.hear_advert(200);
    bed.pass(100);
  }
  EXPECT_EQ(bed.done(), Words{});
}

TEST(RoleInSilence, IsTakenAfterBothHaveBeenSilentForTheDownInterval) {
  for (const bool synced : {true, false}) {  // a lone node does, whatever it has
    for (const bool closed : {true, false}) {
      RoleBed bed;
      bed.stand_by(synced);
      bed.hear_advert(200);
      bed.hear();
      if (closed) bed.disconnect();
      bed.pass(360, false);
      EXPECT_EQ(bed.machine.role(), Role::kStandby);
      bed.pass(10, false);
      EXPECT_TRUE(bed.did("role active silence"));
    }
  }
}

TEST(RoleInSilence, IsLookedAtWhenThoseFallSilentWhomPreemptionIgnored) {
  RoleBed bed(settings(true));
  bed.stand_by();
  for (int i = 0; i < 10; ++i) {
    bed.hear_advert(50);
    bed.pass(100, false);  // connected, but not a word
  }
  ASSERT_EQ(bed.machine.role(), Role::kStandby);
  const auto due = bed.machine.due();
  ASSERT_TRUE(due);
  EXPECT_LE(*due, bed.now() + std::chrono::milliseconds(261));
  bed.pass(270, false);
  EXPECT_EQ(bed.machine.role(), Role::kActive);
}

TEST(RoleInSilence, AClosedSessionIsNotSilenceYet) {
  RoleBed bed;
  bed.stand_by();
  bed.pass(1000);  // adverts have been missing for long
  bed.disconnect();
  bed.pass(350);
  EXPECT_EQ(bed.done(), Words{});
}

TEST(RoleInSilence, ANodeThatSleptReadsFirstWhatWaits) {
  RoleBed bed;
  bed.stand_by();
  bed.ms += 5000;
  bed.machine.tick(bed.now());
  bed.note();
  EXPECT_EQ(bed.machine.role(), Role::kStandby);
  bed.hear();
  bed.pass(300, false);
  EXPECT_EQ(bed.machine.role(), Role::kStandby);
  bed.ms += 5000;
  bed.machine.tick(bed.now());
  bed.pass(static_cast<int>(RoleMachine::kListen.count()), false);
  EXPECT_TRUE(bed.did("role active silence")) << "nothing waited";
}

TEST(RoleInSilence, ANodeThatSleepsTwiceReadsTwice) {
  RoleBed bed;
  bed.stand_by();
  bed.disconnect();
  bed.ms += 5000;
  bed.machine.tick(bed.now());
  bed.machine.links({}, bed.now());  // or it would take the role now
  bed.pass(1000);
  bed.machine.links({{"front", true}, {"back", true}}, bed.now());
  bed.ms += 5000;
  bed.machine.tick(bed.now());
  bed.note();
  EXPECT_EQ(bed.machine.role(), Role::kStandby);
  bed.pass(static_cast<int>(RoleMachine::kListen.count()));
  EXPECT_EQ(bed.machine.role(), Role::kActive) << "nothing waited";
}

TEST(RoleInSilence, ANodeThatSleptTakesNoOldGrant) {
  RoleBed bed;
  bed.connect(Role::kInit);
  bed.pass(500);
  const auto claim = bed.machine.state(bed.now()).claim;
  ASSERT_NE(claim, 0U);
  bed.ms += 5000;
  bed.peer.grant = claim;
  bed.hear();
  EXPECT_EQ(bed.machine.role(), Role::kInit);
  EXPECT_EQ(bed.machine.state(bed.now()).claim, claim + 1);
}

TEST(RoleOfALivingActive, IsClaimedByASyncedNodeOfHigherPriorityThatPreempts) {
  struct Case {
    bool preempt, synced;
    int peers_priority;
    bool claims;
  };
  for (const auto& [preempt, synced, priority, claims] :
       {Case{true, true, 50, true}, Case{false, true, 50, false}, Case{true, false, 50, false}, Case{true, true, 100, false}}) {
    RoleBed bed(settings(preempt));
    bed.peer.ballot.priority = priority;
    bed.stand_by(synced);
    for (int i = 0; i < 10; ++i) {
      bed.hear_advert(priority);
      bed.pass(100);
    }
    EXPECT_EQ(bed.machine.state(bed.now()).claim != 0, claims) << preempt << synced << priority;
    EXPECT_EQ(bed.machine.role(), Role::kStandby);
  }
}

TEST(RoleOfALivingActive, IsClaimedWhenItIsOffered) {
  struct Case {
    Offer offer;
    bool synced, healthy, claims;
  };
  for (const auto& [offer, synced, healthy, claims] :
       {Case{Offer::kFailover, true, false, true}, Case{Offer::kFailover, false, true, false},
        Case{Offer::kForced, false, true, true}, Case{Offer::kHealth, true, true, true}, Case{Offer::kHealth, true, false, false},
        Case{Offer::kNone, true, true, false}}) {
    RoleBed bed;
    bed.stand_by(synced);
    bed.machine.set_healthy(healthy, bed.now());
    bed.peer.offer = offer;
    bed.hear();
    EXPECT_EQ(bed.machine.state(bed.now()).claim != 0, claims) << static_cast<int>(offer) << synced << healthy;
  }
}

TEST(RoleOfALivingActive, IsClaimedAtOnceWhenTheActiveSaysThatItIsNoMore) {
  RoleBed bed;
  bed.stand_by(false);
  bed.hear_advert(200);
  bed.peer.role = Role::kFault;
  bed.hear();
  EXPECT_NE(bed.machine.state(bed.now()).claim, 0U);
}

TEST(RoleExternal, IsSetByPromoteAndDemoteAndNothingElse) {
  RoleBed bed(settings(false, true));
  bed.pass(10'000);
  EXPECT_EQ(bed.done(), Words{"role standby demoted"}) << "nobody has said that it be active";
  EXPECT_TRUE(bed.machine.promote(bed.now()));
  bed.note();
  EXPECT_EQ(bed.done(),
            (Words{"role active promoted", "step guard-drop", "step add-addresses", "step await-entries", "step guard-reject"}));
  bed.machine.links({}, bed.now());
  bed.note();
  EXPECT_EQ(bed.machine.role(), Role::kActive) << "no tracking";
  EXPECT_TRUE(bed.machine.demote(bed.now()));
  bed.note();
  EXPECT_EQ(bed.done(), (Words{"role standby demoted", "step guard-standby", "step remove-addresses"}));
  bed.pass(10'000);
  EXPECT_EQ(bed.done(), Words{});
}

TEST(RoleExternal, PromoteAsksAnActivePeerToHandOver) {
  RoleBed bed(settings(false, true));
  bed.stand_by(false);
  const auto refused = bed.machine.promote(bed.now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), "the peer is active and this node not synced: wait, or demote the peer first");
  bed.sync();
  EXPECT_TRUE(bed.machine.promote(bed.now()));
  EXPECT_EQ(bed.machine.role(), Role::kStandby);
  bed.peer.role = Role::kStandby;
  bed.peer.grant = bed.machine.state(bed.now()).claim;
  bed.hear();
  EXPECT_TRUE(bed.did("role active granted"));
}

TEST(RoleExternal, APromotionThatDidNotComeTrueIsForgotten) {
  for (const bool forgets : {false, true}) {
    RoleBed bed(settings(false, true));
    bed.stand_by();
    EXPECT_TRUE(bed.machine.promote(bed.now()));
    bed.pass(1000);
    EXPECT_EQ(bed.machine.role(), Role::kStandby);
    if (forgets) bed.machine.forget_promotion(bed.now());
    bed.disconnect();
    bed.pass(5000);
    EXPECT_EQ(bed.machine.role(), forgets ? Role::kStandby : Role::kActive);
  }
}

TEST(RoleExternal, RemembersOverARestartWhatWasSaid) {
  auto promoted = settings(false, true);
  promoted.promoted = true;
  RoleBed bed(promoted);
  bed.pass(990);
  EXPECT_EQ(bed.machine.role(), Role::kInit);
  bed.pass(20);
  EXPECT_EQ(bed.machine.role(), Role::kActive);
}

TEST(RoleExternal, ForgetsWhatWasSaidOnceThePeerIsActive) {
  auto promoted = settings(false, true);
  promoted.promoted = true;
  RoleBed bed(promoted);
  bed.stand_by(false);
  bed.sync();
  EXPECT_EQ(bed.machine.state(bed.now()).claim, 0U) << "the peer was promoted later";
  EXPECT_TRUE(bed.machine.promote(bed.now()));
  EXPECT_NE(bed.machine.state(bed.now()).claim, 0U);
}

TEST(RoleExternal, WithVrrpNobodyPromotes) {
  RoleBed bed;
  EXPECT_EQ(bed.machine.promote(bed.now()).error(), "election is \"vrrp\": use failover");
  EXPECT_EQ(bed.machine.demote(bed.now()).error(), "election is \"vrrp\": use failover");
}

}  // namespace
}  // namespace wsl4::election
