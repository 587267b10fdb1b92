// How the role is given up: handed over, lost to a fault, to a stop. To another active: role_meet_test.cpp.
#include <gtest/gtest.h>

#include "tests/unit/election/role_bed.h"

namespace wsl4::election {
namespace {

const Words kHandedOver{"step drain", "step guard-standby", "step remove-addresses", "role standby handed-over"};

TEST(Failover, IsRefusedWithAReason) {
  RoleBed bed;
  EXPECT_EQ(bed.machine.failover(true, bed.now()).error(), "this node is not active: say it to the one that is");
  bed.become_active();
  EXPECT_EQ(bed.machine.failover(false, bed.now()).error(), "the peer is not connected (--force gives the role up all the same)");
  bed.connect(Role::kStandby);
  EXPECT_EQ(bed.machine.failover(false, bed.now()).error(), "the peer is not synced: wait, or lose connections with --force");
  bed.peer.role = Role::kFault;
  bed.hear();
  EXPECT_EQ(bed.machine.failover(true, bed.now()).error(), "the peer has a fault: mend it first");
}

TEST(Failover, GrantsAfterTheAddressesAreOff) {
  RoleBed bed;
  bed.pair_up();
  bed.prompt = false;
  ASSERT_TRUE(bed.machine.failover(false, bed.now()));
  bed.note();
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kFailover);
  bed.peer.claim = 3;
  bed.hear();
  for (const auto step : {Step::kDrain, Step::kGuardStandby, Step::kRemoveAddresses}) {
    EXPECT_EQ(bed.machine.role(), Role::kActive);
    EXPECT_EQ(bed.machine.state(bed.now()).grant, 0U);
    bed.finish(step);
  }
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 3U);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kNone);
  EXPECT_EQ(bed.done(), kHandedOver);
}

TEST(Failover, WithoutAnAnswerIsOver) {
  RoleBed bed;
  bed.pair_up();
  ASSERT_TRUE(bed.machine.failover(false, bed.now()));
  bed.pass(2900);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kFailover);
  bed.pass(200);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kNone);
  EXPECT_EQ(bed.done(), Words{"hand-over-failed"});
  EXPECT_EQ(bed.machine.role(), Role::kActive);
}

TEST(Failover, AQueueThatDoesNotDrainChangesNothing) {
  RoleBed bed;
  bed.pair_up();
  bed.prompt = false;
  ASSERT_TRUE(bed.machine.failover(false, bed.now()));
  bed.peer.claim = 3;
  bed.hear();
  bed.pass(1000);
  EXPECT_EQ(bed.done(), (Words{"step drain", "hand-over-failed"}));
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 0U);
}

TEST(Failover, ForcedItGoesOnWithoutADrainedQueue) {
  RoleBed bed;
  bed.become_active();
  bed.connect(Role::kStandby);
  bed.prompt = false;
  ASSERT_TRUE(bed.machine.failover(true, bed.now()));
  bed.peer.claim = 3;
  bed.hear();
  bed.pass(1000);
  bed.finish(Step::kGuardStandby);
  bed.finish(Step::kRemoveAddresses);
  EXPECT_EQ(bed.done(), kHandedOver);
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 3U);
}

TEST(Failover, APeerThatVanishesBeforeTheGrantGetsNothing) {
  RoleBed bed;
  bed.pair_up();
  bed.prompt = false;
  ASSERT_TRUE(bed.machine.failover(false, bed.now()));
  bed.peer.claim = 3;
  bed.hear();
  bed.finish(Step::kDrain);
  bed.finish(Step::kGuardStandby);
  bed.done();
  bed.disconnect();
  bed.finish(Step::kRemoveAddresses);  // was under way
  bed.finish(Step::kGuardDrop);
  EXPECT_EQ(bed.done(), (Words{"hand-over-failed", "step guard-drop", "step add-addresses"}));
  EXPECT_EQ(bed.machine.role(), Role::kActive);
}

TEST(Failover, TheMoverRestsUntilItHasBeenActiveAgain) {
  RoleBed bed(settings(true));
  bed.pair_up();
  ASSERT_TRUE(bed.machine.failover(false, bed.now()));
  bed.peer.claim = 3;
  bed.hear();
  bed.peer = {.role = Role::kActive, .ballot = {0, 50, ip("198.18.0.1")}};
  bed.hear();
  for (int i = 0; i < 50; ++i) {
    bed.hear_advert(50);
    bed.pass(100);
  }
  EXPECT_EQ(bed.machine.state(bed.now()).claim, 0U);
  bed.disconnect();
  bed.pass(400);
  EXPECT_EQ(bed.machine.role(), Role::kActive) << "the next failure";
  bed.hear_advert(200);  // and now somebody higher, who then is lower
  bed.peer = {.role = Role::kActive, .ballot = {0, 50, ip("198.18.0.1")}};
  bed.connect(Role::kActive, true);
  for (int i = 0; i < 10; ++i) {
    bed.hear_advert(50);
    bed.pass(100);
  }
  EXPECT_NE(bed.machine.state(bed.now()).claim, 0U);
}

TEST(Failover, TheMoverRestsOverARestart) {
  for (const bool resting : {false, true}) {
    auto of = settings(true);
    of.resting = resting;
    RoleBed bed(of);
    bed.stand_by();
    for (int i = 0; i < 10; ++i) {
      bed.hear_advert(50);
      bed.pass(100);
    }
    EXPECT_EQ(bed.machine.state(bed.now()).claim == 0, resting);
  }
}

TEST(Failover, ForcedWithoutAPeerResignsWhenTheAddressesAreOff) {
  RoleBed bed;
  bed.become_active();
  bed.prompt = false;
  ASSERT_TRUE(bed.machine.failover(true, bed.now()));
  bed.note();
  bed.finish(Step::kGuardStandby);
  EXPECT_FALSE(bed.did("resign"));
  bed.finish(Step::kRemoveAddresses);
  EXPECT_EQ(bed.done(), (Words{"role standby forced", "step guard-standby", "step remove-addresses", "resign"}));
  bed.prompt = true;
  bed.pass(400);
  EXPECT_TRUE(bed.did("role active silence")) << "nobody else took it";
}

TEST(AnActive, HandsOverToASyncedPeerThatClaims) {
  RoleBed bed;
  bed.become_active();
  bed.peer.claim = 9;
  bed.connect(Role::kStandby);
  bed.pass(500);
  EXPECT_EQ(bed.done(), Words{}) << "not synced";
  bed.sync();
  EXPECT_EQ(bed.done(), kHandedOver);
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 9U);
}

TEST(AnActive, OffersTheRoleWhenAllOfAServiceFailedHereButNotThere) {
  RoleBed bed;
  bed.pair_up();
  bed.machine.set_healthy(false, bed.now());
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kNone) << "the peer may be about to notice the same";
  ASSERT_TRUE(bed.machine.due());
  bed.pass(10'000);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kHealth);
  bed.peer.healthy = false;
  bed.hear();
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kNone);
  bed.peer.healthy = true;
  bed.hear();
  bed.machine.session({true, false, false}, bed.now());
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kNone) << "not synced";
}

/// Each of two nodes sees as the active what it does not as the standby.
TEST(AnActive, OffersTheRoleEverLessOftenWhereItCameForHealth) {
  RoleBed bed;
  bed.stand_by();
  bed.peer.offer = Offer::kHealth;
  bed.hear();
  bed.peer.grant = bed.machine.state(bed.now()).claim;
  bed.hear();
  ASSERT_EQ(bed.machine.role(), Role::kActive);
  bed.peer = {.role = Role::kStandby, .ballot = {0, 50, ip("198.18.0.1")}};
  bed.hear();
  bed.machine.set_healthy(false, bed.now());
  bed.pass(39'000);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kNone);
  bed.pass(1000);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kHealth);
  bed.machine.set_healthy(true, bed.now());
  bed.pass(40'000);
  bed.machine.set_healthy(false, bed.now());
  bed.pass(10'000);
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kHealth) << "it was healthy for long enough";
}

TEST(Carrier, LostOnATrackedInterfaceGivesTheRoleUp) {
  RoleBed bed;
  bed.become_active();
  bed.prompt = false;
  bed.machine.links({{"front", true}, {"back", false}, {"sync", true}}, bed.now());
  bed.note();
  bed.finish(Step::kGuardStandby);
  EXPECT_EQ(bed.done(), (Words{"role fault carrier", "step guard-standby", "step remove-addresses"}));
  bed.finish(Step::kRemoveAddresses);
  EXPECT_EQ(bed.done(), Words{"resign"});
  EXPECT_EQ(bed.machine.lost_links(), std::vector<std::string>{"back"});
  bed.prompt = true;
  bed.pass(5000);
  EXPECT_EQ(bed.done(), Words{}) << "no role without it";
  bed.machine.links({{"front", true}, {"back", true}, {"sync", true}}, bed.now());
  bed.note();
  EXPECT_EQ(bed.done(), Words{"role standby recovered"});
  bed.pass(400);
  EXPECT_TRUE(bed.did("role active silence"));
}

TEST(Carrier, OfTheSyncLinkMakesNoDifference) {
  RoleBed bed;
  bed.become_active();
  bed.machine.links({{"front", true}, {"back", true}, {"sync", false}}, bed.now());
  bed.machine.links({{"front", true}, {"back", true}}, bed.now());
  bed.note();
  EXPECT_EQ(bed.done(), Words{});
}

TEST(Carrier, AFaultyNodeGrantsWhenItsAddressesAreOff) {
  RoleBed bed;
  bed.pair_up();
  bed.prompt = false;
  bed.machine.links({}, bed.now());
  bed.note();
  bed.peer.claim = 4;
  bed.hear();
  bed.finish(Step::kGuardStandby);
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 0U);
  bed.finish(Step::kRemoveAddresses);
  EXPECT_EQ(bed.machine.state(bed.now()).grant, 4U);
}

TEST(Stop, HandsOverToASyncedPeer) {
  RoleBed bed;
  bed.pair_up();
  bed.machine.stop(bed.now());
  bed.note();
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kFailover);
  bed.peer.claim = 5;
  bed.hear();
  EXPECT_EQ(bed.done(), kHandedOver);
  bed.peer.claim = 0;
  bed.peer.role = Role::kActive;
  bed.hear();
  EXPECT_TRUE(bed.did("stopped"));
}

const Words kWithdrawn{"role standby stopped", "step guard-standby", "step remove-addresses", "resign", "stopped"};

TEST(Stop, WithdrawsAndResignsBesideAPeerThatIsNotSynced) {
  RoleBed bed;
  bed.pair_up(false);
  bed.machine.stop(bed.now());
  bed.pass(2900);
  EXPECT_EQ(bed.machine.role(), Role::kActive) << "it may be synced soon";
  bed.pass(200);
  EXPECT_EQ(bed.machine.role(), Role::kStandby);
  EXPECT_FALSE(bed.did("stopped")) << "nobody has the role";
  bed.peer.role = Role::kActive;
  bed.hear();
  EXPECT_EQ(bed.done(), kWithdrawn);
  bed.pass(5000);
  EXPECT_EQ(bed.done(), Words{});
}

TEST(Stop, HandsOverToAPeerThatIsSyncedInTime) {
  RoleBed bed;
  bed.pair_up(false);
  bed.machine.stop(bed.now());
  bed.pass(1000);
  bed.sync();
  EXPECT_EQ(bed.machine.state(bed.now()).offer, Offer::kFailover);
  bed.peer.claim = 5;
  bed.hear();
  EXPECT_EQ(bed.done(), kHandedOver);
}

TEST(Stop, WithdrawsBesideAPeerWithWhichNoSessionCanBeHad) {
  RoleBed bed;
  bed.become_active();
  bed.machine.peer_disagrees(false, bed.now());
  bed.machine.stop(bed.now());
  bed.note();
  EXPECT_TRUE(bed.did("role standby stopped"));
}

TEST(Stop, LeavesEverythingAsItIsWithoutAPeer) {
  for (const bool external : {false, true}) {
    RoleBed bed(settings(false, external));
    bed.become_active();
    if (external) { ASSERT_TRUE(bed.machine.promote(bed.now())); }
    bed.connect(Role::kStandby, true);
    bed.disconnect();
    bed.done();
    bed.machine.stop(bed.now());
    bed.note();
    EXPECT_EQ(bed.done(), Words{"stopped"});
    bed.pass(5000);
    EXPECT_EQ(bed.done(), Words{});
    EXPECT_EQ(bed.machine.role(), Role::kActive);
  }
}

TEST(Stop, LeavesEverythingAsItIsBesideAPeerThatCannotTakeIt) {
  RoleBed bed;
  bed.pair_up();
  bed.peer.role = Role::kFault;
  bed.hear();
  bed.machine.stop(bed.now());
  bed.note();
  EXPECT_EQ(bed.done(), Words{"stopped"});
}

TEST(Stop, WithdrawsBesideAnotherActiveOfWhichOnlyAdvertsAreHeard) {
  RoleBed bed;
  bed.become_active();
  bed.hear_advert(50);
  bed.pass(100);
  bed.done();
  bed.machine.stop(bed.now());
  bed.note();
  EXPECT_EQ(bed.done(), kWithdrawn);
}

TEST(Stop, WaitsUntilTheRoleIsTakenAsAWhole) {
  RoleBed bed;
  bed.prompt = false;
  bed.pass(1100);
  bed.machine.stop(bed.now());
  bed.note();
  for (const auto step : {Step::kGuardDrop, Step::kAddAddresses, Step::kAnnounce, Step::kAwaitEntries}) {
    bed.finish(step);
    EXPECT_FALSE(bed.did("stopped")) << to_string(step);
  }
  bed.finish(Step::kGuardReject);
  EXPECT_TRUE(bed.did("stopped"));
}

TEST(Stop, TakesBackWhatAPeerThatDiesWasAboutToTake) {
  RoleBed bed;
  bed.pair_up();
  bed.prompt = false;
  bed.machine.stop(bed.now());
  bed.peer.claim = 5;
  bed.hear();
  bed.finish(Step::kDrain);
  bed.finish(Step::kGuardStandby);
  ASSERT_TRUE(bed.did("step remove-addresses"));
  bed.done();
  bed.prompt = true;
  bed.disconnect();
  bed.finish(Step::kRemoveAddresses);
  EXPECT_EQ(bed.done(), (Words{"hand-over-failed", "step guard-drop", "step add-addresses", "step await-entries",
                               "step guard-reject", "stopped"}));
}

const Words kTakenBack{"step guard-drop", "step add-addresses", "step await-entries", "step guard-reject"};

Words taken_back(const std::string& cause) {
  Words all{"role active " + cause};
  all.insert(all.end(), kTakenBack.begin(), kTakenBack.end());
  return all;
}

void hand_over_by_a_stop(RoleBed& bed) {
  bed.machine.stop(bed.now());
  bed.peer.claim = 5;
  bed.hear();
  ASSERT_EQ(bed.done(), kHandedOver);
  ASSERT_EQ(bed.machine.state(bed.now()).grant, 5U);
}

TEST(Stop, TakesBackWhatAPeerThatStopsTooDoesNotTake) {
  RoleBed bed;
  bed.pair_up();
  hand_over_by_a_stop(bed);
  bed.peer.claim = 0;
  bed.hear();
  EXPECT_EQ(bed.done(), taken_back("granted"));
  bed.disconnect();
  bed.pass(400);
  EXPECT_EQ(bed.done(), Words{"stopped"});
  EXPECT_EQ(bed.machine.role(), Role::kActive);
  bed.connect(Role::kStandby, true);
  bed.pass(5000);
  EXPECT_EQ(bed.done(), Words{}) << "it has stopped";
}

TEST(Stop, TakesBackWhatAPeerThatHasDiedWasGiven) {
  for (const bool external : {false, true}) {
    RoleBed bed(settings(false, external));
    bed.become_active();
    if (external) { ASSERT_TRUE(bed.machine.promote(bed.now())); }
    bed.connect(Role::kStandby, true);
    bed.done();
    hand_over_by_a_stop(bed);
    bed.disconnect();
    EXPECT_EQ(bed.done(), Words{}) << "it may have taken the role";
    bed.pass(400);
    auto all = taken_back("silence");
    all.emplace_back("stopped");
    EXPECT_EQ(bed.done(), all);
  }
}

TEST(Stop, LeavesTheRoleToAPeerOfWhichOnlyAdvertsAreHeard) {
  RoleBed bed;
  bed.pair_up();
  hand_over_by_a_stop(bed);
  bed.disconnect();
  EXPECT_FALSE(bed.did("stopped"));
  bed.hear_advert(50);
  EXPECT_EQ(bed.done(), Words{"stopped"});
}

TEST(Stop, OfferedToAPeerThatFallsSilentLeavesEverythingAsItIs) {
  RoleBed bed;
  bed.pair_up();
  bed.machine.stop(bed.now());
  bed.pass(500, false);
  EXPECT_EQ(bed.done(), Words{"stopped"});
}

TEST(Stop, DoesNotWaitForAPeerForEver) {
  RoleBed bed;
  bed.pair_up();
  bed.machine.stop(bed.now());
  bed.pass(2900);
  EXPECT_EQ(bed.machine.role(), Role::kActive);
  bed.pass(200);
  EXPECT_EQ(bed.done(), kWithdrawn);
}

TEST(Stop, OfAStandbyIsDoneAtOnce) {
  RoleBed bed;
  bed.stand_by();
  bed.machine.stop(bed.now());
  bed.note();
  EXPECT_EQ(bed.done(), Words{"stopped"});
}

}  // namespace
}  // namespace wsl4::election
