#include "daemon/addresses/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/desired_states.h"

namespace wsl4::addresses {
namespace {

using test::address;
using testing::ElementsAre;

config::Service service(const char* listen, const char* interface) {
  config::Service service;
  service.listen = {test::endpoint(listen)};
  service.interface = interface;
  return service;
}

TEST(WantedAddresses, VipsAndPoolsEachOnceInTheirOrder) {
  config::Config config;
  config.services = {service("198.18.0.20:80", ""), service("198.18.0.10:80", ""), service("198.18.0.20:443", "")};
  config.pools = {{"main", {address("198.18.1.2"), address("198.18.1.1")}, 1, 65535, "back"}};
  EXPECT_THAT(wanted_addresses(config),
              ElementsAre(WantedAddress{address("198.18.0.20"), ""}, WantedAddress{address("198.18.0.10"), ""},
                          WantedAddress{address("198.18.1.2"), "back"}, WantedAddress{address("198.18.1.1"), "back"}));
}

TEST(WantedAddresses, WhatIsAVipIsNoExtraToo) {
  config::Config config;
  config.services = {service("198.18.0.20:80", "")};
  config.pools = {{"main", {address("198.18.1.1")}, 1, 65535, ""}};
  for (const auto* text : {"198.18.0.20", "198.18.1.1", "198.18.0.30"}) config.addresses.extra.push_back({address(text), 24});
  EXPECT_THAT(wanted_addresses(config),
              ElementsAre(WantedAddress{address("198.18.0.20"), ""}, WantedAddress{address("198.18.1.1"), ""},
                          WantedAddress{address("198.18.0.30"), "", 24}));
}

TEST(WantedAddresses, TheServiceThatNamesAnInterfaceDecidesForAll) {
  config::Config config;
  const WantedAddress wanted{address("198.18.0.20"), "front"};
  config.services = {service("198.18.0.20:80", ""), service("198.18.0.20:443", "front")};
  EXPECT_THAT(wanted_addresses(config), ElementsAre(wanted));
  std::swap(config.services[0], config.services[1]);
  EXPECT_THAT(wanted_addresses(config), ElementsAre(wanted));
}

TEST(TopologyTest, OfEqualPrefixesTheLinkThatHasTheAddressStays) {
  const Topology topology(
      {{1, "lo", true, true, true, {}}, {2, "a", true, true, false, {}}, {3, "b", true, true, false, {}}},
      {{2, address("198.18.0.1"), 24, 0}, {3, address("198.18.0.2"), 24, 0}, {3, address("198.18.0.3"), 16, 0}});
  const auto vip = address("198.18.0.10");
  EXPECT_EQ(topology.home_of({vip, ""})->name, "a");
  EXPECT_EQ(topology.home_of({vip, ""}, 3)->name, "b");
  EXPECT_EQ(topology.home_of({vip, "a"}, 3)->name, "a");
  EXPECT_EQ(topology.home_of({address("198.18.1.10"), ""}, 2)->name, "b");
  EXPECT_EQ(topology.home_of({address("198.19.0.1"), ""}, 2), nullptr);
  EXPECT_EQ(topology.home_of({vip, "c"}, 2), nullptr);
}

// Of two configurations on one machine: what stays as it is, is to come or is left over in both is not told.
TEST(Beyond, TellsWhatOnlyTheNextOneDoes) {
  const Topology topology({{2, "a", true, true, false, {}}}, {{2, address("198.18.0.1"), 24, 0}});
  const std::vector<netlink::rtnl::InterfaceAddress> present{
      {2, address("198.18.0.1"), 24, 0},
      {2, address("198.18.0.10"), 32, netlink::rtnl::kAddressProtocol},
      {2, address("198.18.0.11"), 32, netlink::rtnl::kAddressProtocol},
      {2, address("198.18.0.12"), 32, netlink::rtnl::kAddressProtocol},
  };
  const auto wanting = [&](const std::vector<const char*>& texts) {
    std::vector<WantedAddress> wanted;
    for (const auto* text : texts) wanted.push_back({address(text), ""});
    return place(wanted, topology, present);
  };
  const auto now = wanting({"198.18.0.10", "198.18.0.11", "198.18.0.20", "198.19.0.1"});
  const auto changes = beyond(now, wanting({"198.18.0.10", "198.18.0.20", "198.18.0.21", "198.19.0.1", "198.19.0.2"}));
  ASSERT_EQ(changes.missing.size(), 1U);
  EXPECT_EQ(changes.missing[0].address, address("198.18.0.21"));
  EXPECT_EQ(changes.missing[0].link.name, "a");
  ASSERT_EQ(changes.leftover.size(), 1U);
  EXPECT_EQ(changes.leftover[0].address, address("198.18.0.11"));
  ASSERT_EQ(changes.problems.size(), 1U);
  EXPECT_TRUE(changes.problems[0].starts_with("198.19.0.2: "));
}

}  // namespace
}  // namespace wsl4::addresses
