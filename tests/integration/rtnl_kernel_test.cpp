#include "netlink/rtnl/conflict_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <fmt/format.h>

#include "tests/support/namespace.h"

namespace wsl4::netlink::rtnl {
namespace {

using test::Namespace;

struct RtnlKernel : testing::Test {
  RtnlKernel() {
    here.link("card", there, "peer");
    here.must("ip addr add 198.18.0.1/24 dev card && ip addr add 2001:db8::1/64 dev card nodad");
    there.must("ip addr add 198.18.0.2/24 dev peer && ip addr add 2001:db8::2/64 dev peer nodad");
    rtnl = here.run([] { return open_rtnl(); }).value();
  }
  Link card() {
    const auto links = rtnl->links().value();
    const auto place = std::ranges::find(links, "card", &Link::name);
    return place == links.end() ? Link{} : *place;
  }
  std::string mac_of_card() {
    const std::string shown = here.must("ip -o link show card"), label = "link/ether ";
    return shown.substr(shown.find(label) + label.size(), 17);
  }
  InterfaceAddress as_ours(const char* text) {
    const IpAddress address = *IpAddress::parse(text);
    return {card().index, address, static_cast<std::uint8_t>(address.bits()), kAddressProtocol};
  }
  Namespace here{"rtnl"}, there{"peer"};
  std::unique_ptr<Rtnl> rtnl;
};

TEST_F(RtnlKernel, LinksAreTold) {
  const auto links = rtnl->links();
  ASSERT_TRUE(links);
  const auto loopback = std::ranges::find(*links, "lo", &Link::name);
  ASSERT_NE(loopback, links->end());
  EXPECT_TRUE(loopback->loopback && loopback->up);
  EXPECT_TRUE(loopback->mac.empty());
  EXPECT_TRUE(card().up && card().carrier);
  EXPECT_FALSE(card().loopback);
  std::string mac;
  for (const auto byte : card().mac) mac += fmt::format("{}{:02x}", mac.empty() ? "" : ":", byte);
  EXPECT_EQ(mac, mac_of_card());

  there.must("ip link set peer down");
  EXPECT_TRUE(card().up);
  EXPECT_FALSE(card().carrier);
}

TEST_F(RtnlKernel, ALinkThatChangesIsTold) {
  EXPECT_TRUE(rtnl->changed());
  here.must("ip link set card down");
  EXPECT_TRUE(rtnl->changed());
}

TEST_F(RtnlKernel, AddressesComeAndGo) {
  for (const char* text : {"198.18.0.100", "2001:db8::100"}) {
    const InterfaceAddress address = as_ours(text);
    ASSERT_TRUE(rtnl->add_address(address));
    EXPECT_THAT(rtnl->addresses().value(), testing::Contains(address));
    const auto again = rtnl->add_address(address);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, EEXIST);
    EXPECT_THAT(again.error().message(), testing::HasSubstr(std::string("add address ") + text));
    ASSERT_TRUE(rtnl->remove_address(address));
    EXPECT_THAT(rtnl->addresses().value(), testing::Not(testing::Contains(address)));
    EXPECT_EQ(rtnl->remove_address(address).error().code, EADDRNOTAVAIL);
  }
  EXPECT_THAT(rtnl->addresses().value(), testing::Contains(InterfaceAddress{card().index, *IpAddress::parse("198.18.0.1"), 24, 0}));
}

TEST_F(RtnlKernel, TheMarkIsLostWhenSomebodyElseConfiguresTheAddress) {
  for (const std::string text : {"198.18.0.100", "2001:db8::100"}) {
    auto address = as_ours(text.c_str());
    ASSERT_TRUE(rtnl->add_address(address));
    address.protocol = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::vector<InterfaceAddress> present;
    do {  // Linux 6.1 tells it only where the clock has gone on
      here.must("ip addr replace " + text + " dev card");
      present = rtnl->addresses().value();
    } while (std::ranges::find(present, address) == present.end() && std::chrono::steady_clock::now() < end);
    EXPECT_THAT(present, testing::Contains(address));
  }
}

TEST_F(RtnlKernel, AnIpv6AddressIsUsableAtOnceButNeverASource) {
  ASSERT_TRUE(rtnl->add_address(as_ours("2001:db8::100")));
  const std::string shown = here.must("ip -6 addr show dev card to 2001:db8::100");
  EXPECT_THAT(shown, testing::HasSubstr("nodad deprecated"));
  EXPECT_THAT(shown, testing::HasSubstr("valid_lft forever preferred_lft 0sec"));
  EXPECT_THAT(shown, testing::Not(testing::HasSubstr("tentative")));
  EXPECT_THAT(here.must("ip -6 route get 2001:db8::2"), testing::HasSubstr("src 2001:db8::1 "));
}

TEST_F(RtnlKernel, AnUnknownLinkIsAnError) {
  InterfaceAddress address = as_ours("198.18.0.100");
  address.link_index = 9999;
  EXPECT_EQ(rtnl->add_address(address).error().code, ENODEV);
}

TEST_F(RtnlKernel, WithoutTheRightAddingIsRefused) {
  const InterfaceAddress address = as_ours("198.18.0.100");
  here.run([&] {
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);  // of this thread alone
    auto powerless = open_rtnl();
    ASSERT_TRUE(powerless);
    EXPECT_FALSE((*powerless)->links()->empty());
    const auto added = (*powerless)->add_address(address);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().message(), "add address 198.18.0.100/32: Operation not permitted");
  });
}

/// The neighbour knows a wrong card for the address; an announcement puts it right, without any traffic.
TEST_F(RtnlKernel, AnAnnouncementMovesTheNeighboursEntry) {
  const auto announcer = here.run([] { return open_announcer(); });
  ASSERT_TRUE(announcer) << announcer.error().message();
  const std::string mac = mac_of_card();
  for (const std::string text : {"198.18.0.100", "2001:db8::100"}) {
    there.must("ip neigh add " + text + " lladdr 02:00:00:00:00:99 dev peer nud stale");
    const auto announced = (*announcer)->announce(card(), *IpAddress::parse(text));
    ASSERT_TRUE(announced) << announced.error().message();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string entry;
    do {
      entry = there.must("ip neigh show to " + text + " dev peer");
    } while (entry.find(mac) == std::string::npos && std::chrono::steady_clock::now() < end);
    EXPECT_THAT(entry, testing::HasSubstr(mac)) << text;
  }
}

/// The neighbour holds two of the addresses; whoever asks is told its card, and nobody else's.
TEST_F(RtnlKernel, WhoElseHoldsAnAddressAnswers) {
  there.must("ip addr add 198.18.0.100/32 dev peer && ip addr add 2001:db8::100/128 dev peer nodad");
  auto links = there.run([] { return open_rtnl().value()->links(); }).value();
  const auto peer_mac = std::ranges::find(links, "peer", &Link::name)->mac;
  const auto probe = here.run([] { return open_conflict_probe(); });
  ASSERT_TRUE(probe) << probe.error().message();
  std::vector<IpAddress> awaited;
  for (const char* text : {"198.18.0.100", "2001:db8::100", "198.18.0.101", "2001:db8::101"}) {
    // Also where it is here too, which is what conflicts are.
    ASSERT_TRUE(rtnl->add_address(as_ours(text)));
    const auto asked = (*probe)->ask(card(), *IpAddress::parse(text));
    ASSERT_TRUE(asked) << asked.error().message();
    if (awaited.size() < 2) awaited.push_back(*IpAddress::parse(text));
  }
  std::vector<Holder> heard;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto has = [&](const IpAddress& address) { return std::ranges::find(heard, address, &Holder::address) != heard.end(); };
  while (!std::ranges::all_of(awaited, has) && std::chrono::steady_clock::now() < end)
    std::ranges::move((*probe)->heard(), std::back_inserter(heard));
  for (const auto& address : awaited) EXPECT_TRUE(has(address)) << address.to_string();
  for (const auto& holder : heard) {
    EXPECT_THAT(holder.mac, testing::ElementsAreArray(peer_mac)) << holder.address.to_string();
    EXPECT_NE(holder.address.to_string(), "198.18.0.101");
    EXPECT_NE(holder.address.to_string(), "2001:db8::101");
  }
  EXPECT_THAT(there.must("ip neigh show dev peer"), testing::Not(testing::HasSubstr("198.18.0.100"))) << "nobody learns from it";
}

/// What virtual links rest on: a neighbour sees the virtual MAC address only, and what comes to it is taken also when
/// it has no address any more.
TEST_F(RtnlKernel, AMacvlanAnswersWithItsOwnMacAndForwardsWithoutAnAddress) {
  here.must("sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
  ASSERT_TRUE(rtnl->add_macvlan({"virtual", card().index, {0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}}));
  const auto links = rtnl->links().value();
  const int index = std::ranges::find(links, "virtual", &Link::name)->index;
  here.must("sysctl -w net.ipv6.conf.virtual.addr_gen_mode=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.virtual.rp_filter=0");
  ASSERT_TRUE(rtnl->set_link(index, true));
  std::vector<InterfaceAddress> entries;
  for (const char* text : {"198.18.0.100", "2001:db8::100"}) {
    auto entry = as_ours(text);
    entry.link_index = index;
    entry.routed = false;
    entries.push_back(entry);
    ASSERT_TRUE(rtnl->add_address(entry));
    there.must(std::string("ping -c 1 -W 5 ") + text);
    EXPECT_THAT(there.must(std::string("ip neigh show to ") + text), testing::HasSubstr("00:00:5e:00:01:33"));
  }
  there.must("ping -c 1 -W 5 198.18.0.1");
  EXPECT_THAT(there.must("ip neigh show to 198.18.0.1"), testing::HasSubstr(mac_of_card()));
  EXPECT_THAT(here.must("ip -6 route show table main dev virtual"), testing::IsEmpty());

  // Without its addresses it still takes what it forwards, as a node does that has just given the role up.
  for (const auto& outcome : rtnl->remove_addresses(entries)) EXPECT_TRUE(outcome);
  here.must("sysctl -w net.ipv4.ip_forward=1 && ip addr add 198.18.9.1/24 dev lo");
  there.must("ip route add 198.18.9.0/24 via 198.18.0.100 && ip neigh replace 198.18.0.100 lladdr 00:00:5e:00:01:33 dev peer");
  there.must("ping -c 1 -W 5 198.18.9.1");
}

TEST_F(RtnlKernel, APortOfABridgeTakesNoMacvlan) {
  EXPECT_FALSE(card().port);
  here.must("ip link add bridge type bridge && ip link set card master bridge");
  EXPECT_TRUE(card().port);
  EXPECT_EQ(rtnl->add_macvlan({"virtual", card().index, {0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}}).error().code, EBUSY);
}

TEST_F(RtnlKernel, ALinkWithoutAMacCannotAnnounce) {
  const auto announcer = here.run([] { return open_announcer(); });
  Link loopback{.index = 1, .name = "lo", .loopback = true, .mac = {}};
  EXPECT_EQ((*announcer)->announce(loopback, *IpAddress::parse("198.18.0.100")).error().code, EOPNOTSUPP);
}

}  // namespace
}  // namespace wsl4::netlink::rtnl
