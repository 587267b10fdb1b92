#include "daemon/addresses/conflicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/support/desired_states.h"
#include "tests/support/fake_rtnl.h"

namespace wsl4::addresses {
namespace {

using namespace std::chrono_literals;
using test::address;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr netlink::rtnl::Mac kOther{0x02, 0, 0, 0, 0, 0x99};

class ConflictsTest : public testing::Test {
 protected:
  void hold(const char* text) {
    held_.addresses.emplace(address(text), card_);
    wanted_.push_back({address(text), ""});
  }
  /// As a daemon calls it, ten times a second.
  void pass(std::chrono::milliseconds time) {
    for (const auto end = now_ + time; now_ < end; now_ += 100ms) conflicts_.tend(now_, wanted_, held_);
  }

  static netlink::rtnl::Link link(int index, const char* name) {
    return {index, name, true, true, false, {0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(index)}};
  }

  test::OtherHosts hosts_;
  netlink::rtnl::Link card_ = link(1, "card");
  HeldAddresses held_ = held_addresses({card_, link(2, "second")}, {});
  std::vector<WantedAddress> wanted_;
  std::vector<std::string> events_;
  Conflicts conflicts_{[this]() -> netlink::Result<std::unique_ptr<netlink::rtnl::ConflictProbe>> {
                         return std::make_unique<test::FakeConflictProbe>(hosts_);
                       },
                       [this](const std::string& name, const std::string& detail) { events_.push_back(name + ": " + detail); }};
  Conflicts::Clock::time_point now_{};
};

TEST_F(ConflictsTest, AnotherHolderIsToldWithItsCard) {
  for (const char* text : {"198.18.1.100", "198.18.1.101", "2001:db8::100"}) hold(text);
  hosts_.holders = {{address("198.18.1.100"), kOther}, {address("2001:db8::100"), kOther}};
  conflicts_.look_soon(now_);
  pass(Conflicts::kFirst);
  EXPECT_THAT(hosts_.asked, IsEmpty()) << "who gives them up has time for it";
  pass(Conflicts::kListen + 1s);
  EXPECT_THAT(conflicts_.problems(),
              ElementsAre("198.18.1.100 on card is also held by 02:00:00:00:00:99: some of its packets go there",
                          "2001:db8::100 on card is also held by 02:00:00:00:00:99: some of its packets go there"));
  EXPECT_THAT(events_, SizeIs(2));
  EXPECT_EQ(hosts_.listeners, 0) << "nobody listens between two looks";
}

TEST_F(ConflictsTest, AConflictIsToldOnceAndSoIsItsEnd) {
  hold("198.18.1.100");
  hosts_.holders = {{address("198.18.1.100"), kOther}};
  conflicts_.look_soon(now_);
  pass(2min);
  EXPECT_THAT(events_, ElementsAre("address-conflict: 198.18.1.100 on card is also held by 02:00:00:00:00:99"));
  hosts_.holders.clear();
  pass(Conflicts::kIntervalInConflict + Conflicts::kListen + 1s);
  EXPECT_THAT(conflicts_.problems(), IsEmpty());
  EXPECT_THAT(events_, ElementsAre(testing::_, "address-conflict-over: 198.18.1.100 is this node's alone again"));
}

TEST_F(ConflictsTest, AHolderThatComesLaterIsFound) {
  hold("198.18.1.100");
  conflicts_.look_soon(now_);
  pass(20s);
  EXPECT_THAT(conflicts_.problems(), IsEmpty());
  hosts_.holders = {{address("198.18.1.100"), kOther}};
  pass(Conflicts::kInterval);
  EXPECT_THAT(conflicts_.problems(), SizeIs(1));
}

/// Another card of this machine on the same link answers for its addresses, as Linux does by default.
TEST_F(ConflictsTest, TheOwnCardsAreNoConflict) {
  hold("198.18.1.100");
  hosts_.holders = {{address("198.18.1.100"), mac_of(link(2, "second")).value()}};
  conflicts_.look_soon(now_);
  pass(20s);
  EXPECT_THAT(hosts_.asked, SizeIs(1));
  EXPECT_THAT(conflicts_.problems(), IsEmpty());
}

TEST_F(ConflictsTest, WhatOthersSayOfTheirOwnAddressesIsNoConflict) {
  hold("198.18.1.100");
  hosts_.unasked = {{address("198.18.1.7"), kOther}};
  conflicts_.look_soon(now_);
  pass(20s);
  EXPECT_THAT(conflicts_.problems(), IsEmpty());
}

TEST_F(ConflictsTest, OnlyWhatThisNodePutOnEthernetIsAskedFor) {
  hold("198.18.1.100");
  wanted_.push_back({address("198.18.1.101"), ""});  // not there, or somebody else's
  card_ = link(3, "tunnel");
  card_.mac.clear();
  hold("198.18.1.102");
  card_ = link(4, virtual_link_name(51, 1).c_str());
  card_.mac = virtual_mac(51);
  card_.kind = "macvlan";
  hold("198.18.1.103");
  ASSERT_TRUE(is_virtual_link(card_));
  conflicts_.look_soon(now_);
  pass(20s);
  EXPECT_THAT(hosts_.asked, ElementsAre(address("198.18.1.100")));
}

TEST_F(ConflictsTest, OfManyTheFirstAreAskedForPieceByPiece) {
  for (std::size_t n = 0; n < Conflicts::kMost + 10; ++n) hold(fmt::format("198.18.{}.{}", 1 + n / 250, n % 250).c_str());
  conflicts_.look_soon(now_);
  pass(Conflicts::kFirst + 100ms);
  EXPECT_THAT(hosts_.asked, SizeIs(Conflicts::kAtOnce));
  pass(10s);
  EXPECT_THAT(hosts_.asked, SizeIs(Conflicts::kMost));
}

TEST_F(ConflictsTest, SeveralHoldersAreToldTogetherInWhateverOrderTheyAnswer) {
  hold("198.18.1.100");
  constexpr netlink::rtnl::Mac kThird{0x02, 0, 0, 0, 0, 0x33};
  const auto vip = address("198.18.1.100");
  hosts_.unasked = {{vip, kOther}, {vip, kThird}};
  conflicts_.look_soon(now_);
  pass(15s);
  hosts_.unasked = {{vip, kThird}, {vip, kOther}};
  pass(30s);
  EXPECT_THAT(events_, ElementsAre("address-conflict: 198.18.1.100 on card is also held by 02:00:00:00:00:33, 02:00:00:00:00:99"));
}

TEST_F(ConflictsTest, AddressesThatHaveGoneAreForgotten) {
  hold("198.18.1.100");
  hosts_.holders = {{address("198.18.1.100"), kOther}};
  conflicts_.look_soon(now_);
  pass(20s);
  conflicts_.forget();
  EXPECT_THAT(conflicts_.problems(), IsEmpty());
  const auto asked = hosts_.asked.size();
  pass(2min);
  EXPECT_THAT(hosts_.asked, SizeIs(asked)) << "until they come again";
}

}  // namespace
}  // namespace wsl4::addresses
