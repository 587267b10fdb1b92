#include "daemon/addresses/virtual_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/addresses/manager.h"
#include "tests/support/desired_states.h"
#include "tests/support/fake_rtnl.h"
#include "tests/support/fake_sysctls.h"

namespace wsl4::addresses {
namespace {

using netlink::rtnl::kAddressProtocol;
using netlink::rtnl::Link;
using test::address;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr int kRouter = 51;
const std::vector<std::uint8_t> kMac{0x00, 0x00, 0x5e, 0x00, 0x01, 0x33};

TEST(VirtualMac, IsThatOfTheRouter) {
  EXPECT_EQ(virtual_mac(51), kMac);
  EXPECT_EQ(virtual_mac(255).back(), 0xff);
}

TEST(VirtualMac, NamesFitWhateverTheIndex) {
  EXPECT_EQ(virtual_link_name(51, 2), "wsl4-51-2");
  EXPECT_THAT(virtual_link_name(255, 999999), SizeIs(15));
  EXPECT_THAT(virtual_link_name(255, 2147483647), SizeIs(15));
}

TEST(VirtualMac, OnlyAMacvlanOfSuchANameAndMacIsOurs) {
  Link link{.index = 7, .name = "wsl4-51-2", .mac = kMac, .kind = "macvlan"};
  EXPECT_TRUE(is_virtual_link(link));
  const auto differs = [&link](auto change) {
    auto other = link;
    change(other);
    return !is_virtual_link(other);
  };
  EXPECT_TRUE(differs([](Link& other) { other.kind = "dummy"; }));
  EXPECT_TRUE(differs([](Link& other) { other.name = "vrrp.51"; }));
  EXPECT_TRUE(differs([](Link& other) { other.mac[4] = 2; }));
  EXPECT_TRUE(differs([](Link& other) { other.mac.clear(); }));
}

/// A machine with two cards, each with a network of both families, and the VIPs and pool addresses that it may have.
class VirtualLinksTest : public testing::Test {
 protected:
  VirtualLinksTest() {
    for (const auto& [link, text, length] : {std::tuple{front_, "198.18.0.1", 24}, std::tuple{front_, "2001:db8::1", 64},
                                             std::tuple{back_, "198.18.1.1", 24}, std::tuple{back_, "2001:db8:1::1", 64}})
      EXPECT_TRUE(rtnl_.add_address({link, address(text), static_cast<std::uint8_t>(length), 0}));
    for (const auto& [name, value] : virtual_link_sysctls("wsl4-51-2", false)) sysctls_.values[name] = "7";
  }

  void reconcile(Manager& manager) {
    problems_.clear();
    auto result = manager.reconcile(wanted_, {});
    for (; manager.busy() || result; result = manager.go_on())
      if (result) problems_ = result->problems;
  }
  Link virtual_on(int parent) {
    const auto links = rtnl_.links().value();
    const auto place = std::ranges::find(links, virtual_link_name(kRouter, parent), &Link::name);
    return place == links.end() ? Link{} : *place;
  }
  std::vector<std::string> ours_on(int index) {
    std::vector<std::string> texts;
    const auto present = rtnl_.addresses().value();
    for (const auto& entry : present)
      if (is_ours(entry) && entry.link_index == index) texts.push_back(entry.address.to_string());
    return texts;
  }
  std::vector<std::string> virtual_links() {
    std::vector<std::string> names;
    const auto links = rtnl_.links().value();
    for (const auto& link : links)
      if (is_virtual_link(link)) names.push_back(link.name);
    return names;
  }

  test::FakeRtnl rtnl_;
  test::FakeAnnouncer announcer_;
  test::FakeSysctls sysctls_;
  int loopback_ = rtnl_.add_link("lo"), front_ = rtnl_.add_link("front"), back_ = rtnl_.add_link("back");
  Manager manager_{rtnl_, announcer_, sysctls_, kRouter};
  std::vector<WantedAddress> wanted_{
      {address("198.18.0.10"), ""}, {address("2001:db8::10"), ""}, {address("198.18.1.10"), ""}, {address("198.18.1.254"), "", 24}};
  std::vector<std::string> problems_;
};

TEST_F(VirtualLinksTest, AStandbyHasThemDownWithTheirSettings) {
  EXPECT_THAT(manager_.prepare(wanted_), IsEmpty());
  EXPECT_THAT(virtual_links(), UnorderedElementsAre("wsl4-51-2", "wsl4-51-3"));
  EXPECT_FALSE(virtual_on(front_).up);
  EXPECT_EQ(virtual_on(back_).mac, kMac);
  for (const auto& setting : virtual_link_sysctls("wsl4-51-2", false)) EXPECT_THAT(sysctls_.values, Contains(setting));
  EXPECT_THAT(manager_.prepare(wanted_), IsEmpty()) << "they are there";
  EXPECT_THAT(virtual_links(), SizeIs(2));
}

TEST_F(VirtualLinksTest, AnActiveHasItsAddressesOnThemWithoutRoutes) {
  reconcile(manager_);
  EXPECT_THAT(problems_, IsEmpty());
  const auto front = virtual_on(front_), back = virtual_on(back_);
  EXPECT_TRUE(front.up && back.up);
  EXPECT_THAT(ours_on(front.index), ElementsAre("198.18.0.10", "2001:db8::10"));
  EXPECT_THAT(ours_on(back.index), ElementsAre("198.18.1.10", "198.18.1.254"));
  const auto present = rtnl_.addresses().value();
  for (const auto& entry : present) EXPECT_EQ(entry.routed, !is_ours(entry)) << entry.address.to_string();
  EXPECT_THAT(announcer_.announced, Contains(test::FakeAnnouncer::Announcement{front.index, address("198.18.0.10")}));
  reconcile(manager_);
  EXPECT_THAT(ours_on(back.index), SizeIs(2)) << "the gateway's own network is no reason to move";
}

TEST_F(VirtualLinksTest, WhoGivesTheRoleUpHasThemEmptyAndThenDown) {
  reconcile(manager_);
  EXPECT_THAT(manager_.withdraw()->removed, SizeIs(4));
  EXPECT_TRUE(virtual_on(front_).up) << "known flows go on";
  EXPECT_THAT(ours_on(virtual_on(front_).index), IsEmpty());
  EXPECT_THAT(manager_.rest(), IsEmpty());
  EXPECT_FALSE(virtual_on(front_).up || virtual_on(back_).up);
  reconcile(manager_);
  EXPECT_TRUE(virtual_on(front_).up);
  EXPECT_THAT(ours_on(virtual_on(front_).index), SizeIs(2));
}

TEST_F(VirtualLinksTest, AfterACrashTheyAreFoundAsTheyWere) {
  reconcile(manager_);
  Manager next(rtnl_, announcer_, sysctls_, kRouter);
  EXPECT_THAT(next.prepare(wanted_), IsEmpty());
  EXPECT_TRUE(virtual_on(front_).up);
  EXPECT_THAT(next.reconcile(wanted_, {})->added, IsEmpty());
  EXPECT_THAT(virtual_links(), SizeIs(2));
}

TEST_F(VirtualLinksTest, WhatSomebodyTookAwayComesBack) {
  reconcile(manager_);
  ASSERT_TRUE(rtnl_.remove_link(virtual_on(front_).index));
  reconcile(manager_);
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_THAT(ours_on(virtual_on(front_).index), SizeIs(2));
  ASSERT_TRUE(rtnl_.set_link(virtual_on(front_).index, false));
  reconcile(manager_);
  EXPECT_TRUE(virtual_on(front_).up);
  EXPECT_THAT(ours_on(virtual_on(front_).index), SizeIs(2));
}

TEST_F(VirtualLinksTest, WithoutAVirtualMacAddressesMoveToTheirCardAndTheLinkGoes) {
  reconcile(manager_);
  const int was = virtual_on(front_).index;
  Manager next(rtnl_, announcer_, sysctls_);
  for (int second = 0; second < 3; ++second) {
    EXPECT_THAT(ours_on(front_).size() + ours_on(was).size(), testing::Ge(2U)) << "without a gap";
    reconcile(next);
  }
  EXPECT_THAT(ours_on(front_), UnorderedElementsAre("198.18.0.10", "2001:db8::10"));
  EXPECT_THAT(virtual_links(), IsEmpty());
}

TEST_F(VirtualLinksTest, WithoutAVirtualMacAStandbyKeepsNone) {
  reconcile(manager_);
  Manager next(rtnl_, announcer_, sysctls_);
  EXPECT_THAT(next.prepare(wanted_), IsEmpty());
  EXPECT_THAT(virtual_links(), SizeIs(2)) << "in use";
  next.withdraw();
  EXPECT_THAT(virtual_links(), IsEmpty());
}

TEST_F(VirtualLinksTest, AnotherRouterNumberMovesThem) {
  reconcile(manager_);
  Manager next(rtnl_, announcer_, sysctls_, 52);
  for (int second = 0; second < 3; ++second) reconcile(next);
  EXPECT_THAT(virtual_links(), UnorderedElementsAre("wsl4-52-2", "wsl4-52-3"));
}

TEST_F(VirtualLinksTest, AForeignInterfaceInTheWayIsAProblemAndStays) {
  const int foreign = rtnl_.add_link("wsl4-51-2");
  const char* problem = "wsl4-51-2 is not wsl4's, and its name is needed for the virtual MAC address on front: rename or remove it";
  EXPECT_THAT(manager_.prepare(wanted_), ElementsAre(problem));
  reconcile(manager_);
  EXPECT_THAT(problems_, ElementsAre(problem));
  EXPECT_THAT(ours_on(virtual_on(back_).index), SizeIs(2)) << "the others go on";
  EXPECT_THAT(ours_on(front_), IsEmpty());
  manager_.withdraw();
  remove_virtual_links(rtnl_, problems_);
  EXPECT_EQ(rtnl_.link(foreign).name, "wsl4-51-2");
  EXPECT_THAT(virtual_links(), IsEmpty());
}

TEST_F(VirtualLinksTest, AnAddressThatSomebodyElseConfiguredIsAProblem) {
  ASSERT_TRUE(rtnl_.add_address({front_, address("198.18.0.10"), 24, 0}));
  reconcile(manager_);
  EXPECT_THAT(problems_, ElementsAre("198.18.0.10: somebody else configured it, so it lacks the virtual MAC address; remove it"));
  EXPECT_THAT(ours_on(virtual_on(front_).index), ElementsAre("2001:db8::10"));
}

TEST_F(VirtualLinksTest, NoneIsMadeOnLoopbackNorOnAPort) {
  rtnl_.link(front_).port = true;
  wanted_.push_back({address("198.19.0.1"), "lo"});
  EXPECT_THAT(manager_.prepare(wanted_),
              ElementsAre("virtual MAC address on front: make the macvlan wsl4-51-2: Device or resource busy"));
  reconcile(manager_);
  EXPECT_THAT(ours_on(loopback_), ElementsAre("198.19.0.1"));
}

TEST_F(VirtualLinksTest, AnotherRouterOfTheSameNumberIsTold) {
  ASSERT_TRUE(rtnl_.add_macvlan({"vrrp.51", front_, kMac}));
  const auto links = rtnl_.links().value();
  const auto other = std::ranges::find(links, "vrrp.51", &Link::name)->index;
  ASSERT_TRUE(rtnl_.set_link(other, true));
  EXPECT_THAT(manager_.prepare(wanted_), IsEmpty());
  reconcile(manager_);
  EXPECT_THAT(problems_, ElementsAre(testing::MatchesRegex("wsl4-51-2: set the link . up: Address already in use")));
}

TEST_F(VirtualLinksTest, ASettingThatIsRefusedIsToldAndTriedAgain) {
  sysctls_.refused = {"net/ipv4/conf/wsl4-51-2/rp_filter"};
  EXPECT_THAT(manager_.prepare(wanted_), SizeIs(1));
  sysctls_.refused.clear();
  EXPECT_THAT(manager_.prepare(wanted_), IsEmpty());
  EXPECT_THAT(sysctls_.values, Contains(Pair("net/ipv4/conf/wsl4-51-2/rp_filter", "0")));
}

TEST_F(VirtualLinksTest, AMachineThatFiltersByReversePathIsLoosenedOnThem) {
  sysctls_.values["net/ipv4/conf/all/rp_filter"] = "1";
  EXPECT_THAT(manager_.prepare(wanted_), IsEmpty());
  EXPECT_THAT(sysctls_.values, Contains(Pair("net/ipv4/conf/wsl4-51-2/rp_filter", "2")));
}

TEST_F(VirtualLinksTest, SwitchesHearOfEachOnce) {
  reconcile(manager_);
  announcer_.announced.clear();
  manager_.refresh_switches();
  EXPECT_THAT(announcer_.announced,
              ElementsAre(test::FakeAnnouncer::Announcement{virtual_on(front_).index, address("198.18.0.10")},
                          test::FakeAnnouncer::Announcement{virtual_on(back_).index, address("198.18.1.10")}));
}

}  // namespace
}  // namespace wsl4::addresses
