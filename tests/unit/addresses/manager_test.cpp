#include "daemon/addresses/manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/desired_states.h"
#include "tests/support/fake_rtnl.h"
#include "tests/support/fake_sysctls.h"

namespace wsl4::addresses {
namespace {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::kAddressProtocol;
using test::address;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Lt;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr const char *kVip = "198.18.0.10", *kVip6 = "2001:db8::10";

/// A machine with two cards, each with a network of both families.
class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    for (const auto& [link, text, length] : {std::tuple{front_, "198.18.0.1", 24}, std::tuple{front_, "2001:db8::1", 64},
                                             std::tuple{back_, "198.18.1.1", 24}, std::tuple{back_, "2001:db8:1::1", 64}})
      configure(link, text, length);
  }

  /// As somebody else does it.
  void configure(int link, const char* text, int length) {
    ASSERT_TRUE(rtnl_.add_address({link, address(text), static_cast<std::uint8_t>(length), 0}));
  }

  Reconciled reconcile(const std::vector<WantedAddress>& wanted, const std::set<IpAddress>& idle = {}) {
    auto result = manager_.reconcile(wanted, idle);
    while (manager_.busy())
      if (auto more = manager_.go_on()) result = std::move(more);
    return result.value();
  }

  static InterfaceAddress ours(int link, const char* text) {
    const auto value = address(text);
    return {link, value, static_cast<std::uint8_t>(value.bits()), kAddressProtocol};
  }
  std::vector<InterfaceAddress> present() { return rtnl_.addresses().value(); }
  std::vector<InterfaceAddress> all_ours() {
    auto entries = present();
    std::erase_if(entries, [](const auto& entry) { return !is_ours(entry); });
    return entries;
  }

  test::FakeRtnl rtnl_;
  test::FakeAnnouncer announcer_;
  test::FakeSysctls sysctls_;
  int loopback_ = rtnl_.add_link("lo"), front_ = rtnl_.add_link("front"), back_ = rtnl_.add_link("back");
  Manager manager_{rtnl_, announcer_, sysctls_};
};

TEST_F(ManagerTest, WhatIsMissingIsAddedWhereItsNetworkIs) {
  const auto result = reconcile({{address(kVip), ""}, {address(kVip6), ""}, {address("198.18.1.10"), ""}});
  EXPECT_THAT(result.added, ElementsAre(address(kVip), address(kVip6), address("198.18.1.10")));
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(all_ours(), ElementsAre(ours(front_, kVip), ours(front_, kVip6), ours(back_, "198.18.1.10")));
  const auto again = reconcile({{address(kVip), ""}, {address(kVip6), ""}, {address("198.18.1.10"), ""}});
  EXPECT_THAT(again.added, IsEmpty());
  EXPECT_THAT(again.problems, IsEmpty());
}

TEST_F(ManagerTest, TheLongestConnectedPrefixDecidesButNotLoopbacks) {
  configure(back_, "198.18.0.200", 28);
  configure(loopback_, "198.18.0.201", 29);
  reconcile({{address("198.18.0.202"), ""}, {address(kVip), ""}});
  EXPECT_THAT(all_ours(), ElementsAre(ours(back_, "198.18.0.202"), ours(front_, kVip)));
}

TEST_F(ManagerTest, ANamedInterfaceDecidesAlone) {
  reconcile({{address(kVip), "back"}, {address("198.19.0.1"), "lo"}});
  EXPECT_THAT(all_ours(), ElementsAre(ours(back_, kVip), ours(loopback_, "198.19.0.1")));
}

TEST_F(ManagerTest, WhatSomebodyTookAwayComesBack) {
  reconcile({{address(kVip), ""}});
  ASSERT_TRUE(rtnl_.remove_address(ours(front_, kVip)));
  EXPECT_THAT(reconcile({{address(kVip), ""}}).added, ElementsAre(address(kVip)));
}

TEST_F(ManagerTest, WhatIsWantedNoMoreStaysWhileAFlowUsesIt) {
  reconcile({{address(kVip), ""}, {address(kVip6), ""}});
  EXPECT_THAT(manager_.leftover(), IsEmpty());
  EXPECT_THAT(reconcile({}).removed, IsEmpty());
  EXPECT_THAT(manager_.leftover(), UnorderedElementsAre(address(kVip), address(kVip6)));
  EXPECT_THAT(reconcile({}, {address(kVip)}).removed, ElementsAre(address(kVip)));
  EXPECT_THAT(manager_.leftover(), ElementsAre(address(kVip6)));
  EXPECT_THAT(all_ours(), ElementsAre(ours(front_, kVip6)));
  EXPECT_THAT(reconcile({{address(kVip6), ""}}, {address(kVip6)}).removed, IsEmpty()) << "wanted again";
}

TEST_F(ManagerTest, WhatSomebodyElseConfiguredIsNeitherAddedNorRemoved) {
  configure(front_, kVip, 24);
  configure(back_, kVip6, 128);
  const auto before = present();
  const auto result = reconcile({{address(kVip), ""}, {address(kVip6), ""}});
  EXPECT_THAT(result.added, IsEmpty());
  EXPECT_THAT(result.problems, IsEmpty());
  reconcile({}, {address(kVip), address(kVip6)});
  EXPECT_EQ(present(), before);
}

TEST_F(ManagerTest, WhatSomebodyElseConfiguresLaterBesideOursStays) {
  reconcile({{address(kVip), ""}});
  configure(front_, kVip, 24);
  reconcile({}, {address(kVip)});
  EXPECT_THAT(all_ours(), IsEmpty());
  EXPECT_THAT(present(), Contains(InterfaceAddress{front_, address(kVip), 24, 0}));
}

TEST_F(ManagerTest, WhatSomebodyElseConfiguresInPlaceOfOursStays) {
  reconcile({{address(kVip6), ""}});
  ASSERT_TRUE(rtnl_.remove_address(ours(front_, kVip6)));
  configure(front_, kVip6, 128);
  reconcile({}, {address(kVip6)});
  EXPECT_THAT(present(), Contains(InterfaceAddress{front_, address(kVip6), 128, 0}));
}

TEST_F(ManagerTest, AfterACrashOursAreKnownByTheKernelsMark) {
  reconcile({{address(kVip), ""}, {address(kVip6), ""}});
  Manager next(rtnl_, announcer_, sysctls_);
  EXPECT_THAT(next.reconcile({{address(kVip), ""}}, {})->added, IsEmpty());
  EXPECT_THAT(next.leftover(), ElementsAre(address(kVip6)));
  EXPECT_THAT(next.reconcile({{address(kVip), ""}}, {address(kVip6)})->removed, ElementsAre(address(kVip6)));
  EXPECT_THAT(all_ours(), ElementsAre(ours(front_, kVip)));
}

TEST_F(ManagerTest, AFailedAddMakesNothingOurs) {
  rtnl_.refused[address(kVip)] = EPERM;
  const auto result = reconcile({{address(kVip), ""}, {address(kVip6), ""}});
  EXPECT_THAT(result.problems, ElementsAre("add address 198.18.0.10/32: Operation not permitted"));
  EXPECT_THAT(result.added, ElementsAre(address(kVip6))) << "the others go on";
  EXPECT_THAT(announcer_.announced, Not(Contains(test::FakeAnnouncer::Announcement{front_, address(kVip)})));

  rtnl_.refused.clear();
  configure(front_, kVip, 32);  // somebody else does it, and keeps it
  reconcile({{address(kVip), ""}});
  reconcile({}, {address(kVip), address(kVip6)});
  EXPECT_THAT(present(), Contains(InterfaceAddress{front_, address(kVip), 32, 0}));
}

TEST_F(ManagerTest, AFailedRemoveIsToldAndTriedAgain) {
  reconcile({{address(kVip), ""}});
  rtnl_.refused[address(kVip)] = EPERM;
  const auto failed = reconcile({}, {address(kVip)});
  EXPECT_THAT(failed.problems, ElementsAre("remove address 198.18.0.10/32: Operation not permitted"));
  EXPECT_THAT(failed.removed, IsEmpty());
  EXPECT_THAT(manager_.leftover(), ElementsAre(address(kVip)));
  rtnl_.refused.clear();
  EXPECT_THAT(reconcile({}, {address(kVip)}).removed, ElementsAre(address(kVip)));
}

TEST_F(ManagerTest, AChangedInterfaceMovesOursWithoutAGap) {
  reconcile({{address(kVip), "front"}, {address(kVip6), "front"}});
  announcer_.announced.clear();
  const std::vector<WantedAddress> moved{{address(kVip), "back"}, {address(kVip6), "back"}};
  EXPECT_THAT(reconcile(moved).added, ElementsAre(address(kVip), address(kVip6)));
  EXPECT_THAT(all_ours(), UnorderedElementsAre(ours(front_, kVip), ours(front_, kVip6), ours(back_, kVip), ours(back_, kVip6)));
  EXPECT_THAT(announcer_.announced, Contains(test::FakeAnnouncer::Announcement{back_, address(kVip)}));
  EXPECT_THAT(reconcile(moved).removed, IsEmpty()) << "they are still the machine's";
  EXPECT_THAT(all_ours(), UnorderedElementsAre(ours(back_, kVip), ours(back_, kVip6)));
  reconcile(moved);
  EXPECT_THAT(announcer_.announced, SizeIs(6)) << "each thrice, and only on the new link";
}

TEST_F(ManagerTest, AnotherPrefixLengthTakesEffect) {
  const auto extra = [](std::uint8_t length, std::uint8_t length6) {
    return std::vector<WantedAddress>{{address(kVip), "front", length}, {address(kVip6), "front", length6}};
  };
  reconcile(extra(28, 112));
  const auto result = reconcile(extra(29, 0));
  EXPECT_THAT(result.added, ElementsAre(address(kVip), address(kVip6)));
  EXPECT_THAT(result.problems, IsEmpty());
  auto first = ours(front_, kVip);
  first.prefix_length = 29;
  EXPECT_THAT(all_ours(), UnorderedElementsAre(first, ours(front_, kVip6)));
  EXPECT_THAT(reconcile(extra(29, 0)).added, IsEmpty());
}

TEST_F(ManagerTest, OursStaysWhereItIsWhileTheNewInterfaceDoesNotTakeIt) {
  reconcile({{address(kVip), "front"}});
  EXPECT_THAT(reconcile({{address(kVip), "eth7"}}).problems, ElementsAre("198.18.0.10: there is no interface eth7"));
  rtnl_.refused[address(kVip)] = EPERM;
  for (int second = 0; second < 2; ++second)
    EXPECT_THAT(reconcile({{address(kVip), "back"}}).problems, ElementsAre("add address 198.18.0.10/32: Operation not permitted"));
  EXPECT_THAT(all_ours(), ElementsAre(ours(front_, kVip)));
}

TEST_F(ManagerTest, OursFollowsItsNetworkToAnotherLinkButStaysIfThatGoes) {
  const std::vector<WantedAddress> wanted{{address(kVip), ""}};
  reconcile(wanted);
  ASSERT_TRUE(rtnl_.remove_address({front_, address("198.18.0.1"), 24, 0}));
  const auto gone = reconcile(wanted);
  EXPECT_THAT(gone.problems, IsEmpty());
  EXPECT_THAT(all_ours(), ElementsAre(ours(front_, kVip)));
  configure(back_, "198.18.0.1", 24);
  reconcile(wanted);
  reconcile(wanted);
  EXPECT_THAT(all_ours(), ElementsAre(ours(back_, kVip)));
}

TEST_F(ManagerTest, ProblemsNameTheAddressAndWhatToDo) {
  const auto result = reconcile({{address("198.19.0.1"), ""}, {address(kVip), "eth7"}});
  EXPECT_THAT(result.problems, UnorderedElementsAre("198.19.0.1: no interface has a prefix that covers it; set `interface`",
                                                    "198.18.0.10: there is no interface eth7"));
  EXPECT_THAT(all_ours(), IsEmpty());
}

TEST_F(ManagerTest, AMachineThatCannotBeLookedAtIsLeftAlone) {
  reconcile({{address(kVip), ""}});
  rtnl_.fail_next({EPERM, "list links"});
  const auto result = reconcile({}, {address(kVip)});
  EXPECT_THAT(result.problems, ElementsAre("list links: Operation not permitted"));
  EXPECT_THAT(all_ours(), SizeIs(1));
}

TEST_F(ManagerTest, AMachineInOrderIsListedAgainOnlyWhenItOrTheWishChanges) {
  const std::vector<WantedAddress> wanted{{address(kVip), ""}};
  const netlink::Error listed{EPERM, "list links"};
  reconcile(wanted);
  reconcile(wanted);  // sees that all is well
  rtnl_.fail_next(listed);
  EXPECT_THAT(reconcile(wanted).problems, IsEmpty());
  rtnl_.link(back_).carrier = false;
  EXPECT_THAT(reconcile(wanted).problems, SizeIs(1));
  reconcile(wanted);
  rtnl_.fail_next(listed);
  EXPECT_THAT(reconcile({}).problems, SizeIs(1));
  reconcile({});
  rtnl_.fail_next(listed);
  EXPECT_THAT(reconcile({}, {address(kVip)}).problems, SizeIs(1));
}

TEST_F(ManagerTest, AnAddedAddressIsAnnouncedThreeTimes) {
  const std::vector<WantedAddress> wanted{{address(kVip), ""}};
  const test::FakeAnnouncer::Announcement announcement{front_, address(kVip)};
  reconcile(wanted);
  EXPECT_THAT(announcer_.announced, ElementsAre(announcement));
  for (int second = 0; second < 5; ++second) reconcile(wanted);
  EXPECT_THAT(announcer_.announced, ElementsAre(announcement, announcement, announcement));
}

TEST_F(ManagerTest, ARemovedAddressIsAnnouncedNoMore) {
  reconcile({{address(kVip), ""}});
  reconcile({}, {address(kVip)});
  EXPECT_THAT(announcer_.announced, SizeIs(1));
}

TEST_F(ManagerTest, WhatWasWithdrawnComesBackAlsoIfAnotherReaderHasSeenThatItWent) {
  const std::vector<WantedAddress> wanted{{address(kVip), ""}};
  reconcile(wanted);
  reconcile(wanted);  // sees that all is well
  EXPECT_THAT(manager_.withdraw()->removed, ElementsAre(address(kVip)));
  EXPECT_THAT(all_ours(), IsEmpty());
  EXPECT_TRUE(rtnl_.changed());
  EXPECT_THAT(reconcile(wanted).added, ElementsAre(address(kVip)));
}

TEST_F(ManagerTest, ManyAreDoneInPiecesAndToldTogether) {
  std::vector<WantedAddress> many;
  for (int i = 0; i < 1000; ++i) many.push_back({address("2001:db8::1:" + std::to_string(1000 + i)), ""});
  EXPECT_FALSE(manager_.reconcile(many, {}));
  EXPECT_THAT(all_ours(), SizeIs(PieceSize::kFirst));
  EXPECT_FALSE(manager_.reconcile(many, {})) << "goes on where it was";
  std::optional<Reconciled> result;
  while (!result) result = manager_.go_on();
  EXPECT_THAT(result->added, SizeIs(1000));
  EXPECT_THAT(all_ours(), SizeIs(1000));
  while (manager_.busy()) EXPECT_FALSE(manager_.go_on()) << "told once";
  for (int second = 0; second < 5; ++second) reconcile(many);
  EXPECT_THAT(announcer_.announced, SizeIs(3000));
}

TEST(PieceSizeTest, FollowsWhatTheKernelGetsDone) {
  using namespace std::chrono_literals;
  PieceSize piece;
  piece.note(16, 8ms);
  EXPECT_EQ(piece.value, 32) << "grows step by step";
  piece.note(32, 16ms);
  piece.note(60, 30ms);
  EXPECT_EQ(piece.value, 60);
  piece.note(60, 0ms);
  EXPECT_EQ(piece.value, netlink::rtnl::kAddressesAtOnce);
  piece.note(64, 2304ms);
  EXPECT_EQ(piece.value, 1) << "36 ms for each";
  piece.note(1, 500ms);
  EXPECT_EQ(piece.value, 1);
  piece.note(1, 1ms);
  EXPECT_EQ(piece.value, 2);
}

TEST_F(ManagerTest, ManyAreWithdrawnInPiecesUnlessTheyAreWantedAgain) {
  std::vector<WantedAddress> many;
  for (int i = 0; i < 1000; ++i) many.push_back({address("2001:db8::1:" + std::to_string(1000 + i)), ""});
  for (auto result = manager_.reconcile(many, {}); !result;) result = manager_.go_on();
  EXPECT_FALSE(manager_.withdraw());
  EXPECT_THAT(all_ours(), SizeIs(AllOf(Lt(1000), Ge(1000 - netlink::rtnl::kAddressesAtOnce))));
  for (auto result = manager_.reconcile(many, {}); !result;) result = manager_.go_on();
  EXPECT_THAT(all_ours(), SizeIs(1000));
  auto result = manager_.withdraw();
  while (!result) result = manager_.go_on();
  EXPECT_THAT(result->removed, SizeIs(1000));
  EXPECT_THAT(all_ours(), IsEmpty());
  EXPECT_FALSE(manager_.busy());
}

TEST_F(ManagerTest, WhatIsWantedMeanwhileComesFirst) {
  std::vector<WantedAddress> many;
  for (int i = 0; i < 1000; ++i) many.push_back({address("2001:db8::1:" + std::to_string(1000 + i)), ""});
  EXPECT_FALSE(manager_.reconcile(many, {}));
  EXPECT_THAT(reconcile({{address(kVip), ""}}).added, ElementsAre(address(kVip)));
  EXPECT_THAT(manager_.leftover(), SizeIs(PieceSize::kFirst));
}

TEST_F(ManagerTest, RemovingOursGoesOnAfterAFailure) {
  reconcile({{address(kVip), ""}, {address(kVip6), ""}, {address("198.18.1.10"), ""}});
  configure(front_, kVip, 24);
  rtnl_.refused[address(kVip6)] = EPERM;
  const auto result = remove_ours(rtnl_);
  EXPECT_THAT(result.removed, ElementsAre(address(kVip), address("198.18.1.10")));
  EXPECT_THAT(result.problems, ElementsAre("remove address 2001:db8::10/128: Operation not permitted"));
  EXPECT_THAT(all_ours(), ElementsAre(ours(front_, kVip6)));
  EXPECT_THAT(present(), Contains(InterfaceAddress{front_, address(kVip), 24, 0}));
}

}  // namespace
}  // namespace wsl4::addresses
