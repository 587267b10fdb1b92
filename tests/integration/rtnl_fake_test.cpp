// The same calls on the kernel's addresses and on the fake's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "tests/support/fake_rtnl.h"
#include "tests/support/namespace.h"

namespace wsl4::netlink::rtnl {
namespace {

struct Host {
  std::unique_ptr<test::Namespace> space;
  std::unique_ptr<Rtnl> rtnl;
};

Host kernel_host() {
  Host host;
  host.space = std::make_unique<test::Namespace>("fake");
  host.space->must("ip link add card type veth peer name other && ip link set card up && ip link set other up");
  host.space->must("ip neigh add 198.18.0.2 lladdr 02:00:00:00:00:99 dev card nud permanent");
  host.space->must("ip neigh add 2001:db8::2 dev card nud failed");
  host.rtnl = host.space->run([] { return open_rtnl(); }).value();
  return host;
}

Host fake_host() {
  auto fake = std::make_unique<test::FakeRtnl>();
  fake->add_link("lo");
  const int card = fake->add_link("card");
  fake->add_neighbour({card, *IpAddress::parse("198.18.0.2"), {0x02, 0, 0, 0, 0, 0x99}, NeighbourState::kPermanent});
  fake->add_neighbour({card, *IpAddress::parse("2001:db8::2"), {}, NeighbourState::kFailed});
  return {nullptr, std::move(fake)};
}

struct Maker {
  const char* name;
  Host (*make)();
};

class AnyRtnl : public testing::TestWithParam<Maker> {
 protected:
  InterfaceAddress address(const char* text, std::uint8_t length) {
    const auto links = rtnl.links().value();
    return {std::ranges::find(links, "card", &Link::name)->index, *IpAddress::parse(text), length, kAddressProtocol};
  }
  Host host = GetParam().make();
  Rtnl& rtnl = *host.rtnl;
};
INSTANTIATE_TEST_SUITE_P(Both, AnyRtnl, testing::Values(Maker{"kernel", kernel_host}, Maker{"fake", fake_host}),
                         [](const auto& instance) { return instance.param.name; });

TEST_P(AnyRtnl, LinksHaveTheirProperties) {
  const auto links = rtnl.links().value();
  const auto card = std::ranges::find(links, "card", &Link::name), lo = std::ranges::find(links, "lo", &Link::name);
  ASSERT_TRUE(card != links.end() && lo != links.end());
  EXPECT_TRUE(card->up && card->carrier && !card->loopback);
  EXPECT_EQ(card->mac.size(), 6U);
  EXPECT_TRUE(lo->up && lo->loopback && lo->mac.empty());
}

TEST_P(AnyRtnl, NeighboursOfBothFamiliesAreTold) {
  const auto neighbours = rtnl.neighbours().value();
  const int card = address("198.18.0.2", 32).link_index;
  EXPECT_THAT(neighbours, testing::Contains(Neighbour{
                              card, *IpAddress::parse("198.18.0.2"), {0x02, 0, 0, 0, 0, 0x99}, NeighbourState::kPermanent}));
  EXPECT_THAT(neighbours, testing::Contains(Neighbour{card, *IpAddress::parse("2001:db8::2"), {}, NeighbourState::kFailed}));
}

TEST_P(AnyRtnl, ChangesAreTold) {
  EXPECT_TRUE(rtnl.changed()) << "at first everything may have";
  const auto wanted = address("198.18.0.100", 32);
  const auto calm_down = [&] {  // a card that came up makes its own events for some time
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (rtnl.changed() && std::chrono::steady_clock::now() < end) {}
  };
  calm_down();
  ASSERT_TRUE(rtnl.add_address(wanted));
  EXPECT_TRUE(rtnl.changed());
  calm_down();
  ASSERT_TRUE(rtnl.remove_address(wanted));
  EXPECT_TRUE(rtnl.changed());
}

TEST_P(AnyRtnl, AnAddressIsThereOnce) {
  for (const auto& wanted : {address("198.18.0.100", 32), address("2001:db8::100", 128)}) {
    ASSERT_TRUE(rtnl.add_address(wanted));
    EXPECT_EQ(rtnl.add_address(wanted).error().code, EEXIST);
    EXPECT_THAT(rtnl.addresses().value(), testing::Contains(wanted));
    ASSERT_TRUE(rtnl.remove_address(wanted));
    EXPECT_THAT(rtnl.addresses().value(), testing::Not(testing::Contains(wanted)));
    EXPECT_EQ(rtnl.remove_address(wanted).error().code, EADDRNOTAVAIL);
  }
}

TEST_P(AnyRtnl, OnlyIpv4TellsAddressesApartByTheirPrefix) {
  ASSERT_TRUE(rtnl.add_address(address("198.18.0.100", 24)));
  EXPECT_TRUE(rtnl.add_address(address("198.18.0.100", 32)));
  ASSERT_TRUE(rtnl.add_address(address("2001:db8::100", 64)));
  EXPECT_EQ(rtnl.add_address(address("2001:db8::100", 128)).error().code, EEXIST);
}

TEST_P(AnyRtnl, AnAddressMayComeWithoutARoute) {
  for (auto wanted : {address("198.18.0.100", 24), address("2001:db8::100", 64)}) {
    wanted.routed = false;
    ASSERT_TRUE(rtnl.add_address(wanted));
    EXPECT_THAT(rtnl.addresses().value(), testing::Contains(wanted));
  }
}

TEST_P(AnyRtnl, AMacvlanComesAndGoes) {
  const std::vector<std::uint8_t> mac{0x00, 0x00, 0x5e, 0x00, 0x01, 0x33};
  const auto find = [this](const char* name) {
    const auto links = rtnl.links().value();
    const auto place = std::ranges::find(links, name, &Link::name);
    return place == links.end() ? Link{} : *place;
  };
  EXPECT_TRUE(rtnl.knows_macvlan().value());
  const int card = find("card").index;
  ASSERT_TRUE(rtnl.add_macvlan({"one", card, mac}));
  EXPECT_EQ(rtnl.add_macvlan({"one", card, mac}).error().message(), "make the macvlan one: File exists");
  EXPECT_EQ(rtnl.add_macvlan({"two", 4711, mac}).error().code, ENODEV);
  EXPECT_EQ(rtnl.add_macvlan({"two", find("lo").index, mac}).error().code, EINVAL);
  const auto made = find("one");
  EXPECT_EQ(made.kind, "macvlan");
  EXPECT_EQ(made.mac, mac);
  EXPECT_TRUE(!made.up && !made.loopback && !made.port);

  ASSERT_TRUE(rtnl.set_link(made.index, true));
  EXPECT_TRUE(find("one").up);
  ASSERT_TRUE(rtnl.add_macvlan({"two", card, mac}));
  EXPECT_EQ(rtnl.set_link(find("two").index, true).error().code, EADDRINUSE);

  for (const char* text : {"198.18.0.100", "2001:db8::100"}) {
    const auto value = *IpAddress::parse(text);
    ASSERT_TRUE(rtnl.add_address({made.index, value, static_cast<std::uint8_t>(value.bits()), kAddressProtocol}));
  }
  const auto of_it = [&] { return std::ranges::count(rtnl.addresses().value(), kAddressProtocol, &InterfaceAddress::protocol); };
  ASSERT_TRUE(rtnl.set_link(made.index, false));
  EXPECT_EQ(of_it(), 1) << "the IPv6 one goes";
  ASSERT_TRUE(rtnl.set_link(find("two").index, true));
  ASSERT_TRUE(rtnl.remove_link(made.index));
  EXPECT_EQ(of_it(), 0);
  EXPECT_EQ(rtnl.remove_link(made.index).error().code, ENODEV);
  EXPECT_EQ(rtnl.set_link(made.index, true).error().code, ENODEV);
}

TEST_P(AnyRtnl, AnUnknownLinkIsRefused) {
  InterfaceAddress wanted = address("198.18.0.100", 32);
  wanted.link_index = 4711;
  EXPECT_EQ(rtnl.add_address(wanted).error().message(), "add address 198.18.0.100/32: No such device");
  EXPECT_EQ(rtnl.remove_address(wanted).error().message(), "remove address 198.18.0.100/32: No such device");
}

}  // namespace
}  // namespace wsl4::netlink::rtnl
