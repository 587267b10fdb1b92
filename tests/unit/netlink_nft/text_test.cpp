#include "netlink/nft/text.h"

#include <gtest/gtest.h>

#include "tests/support/sample_tables.h"

namespace wsl4::netlink::nft {
namespace {

TEST(NftText, PortBlocks) {
  EXPECT_EQ(build_table(test::port_blocks(Family::kIpv4)).to_text(),
            R"(add table inet wsl4 { comment "of a test"; }
add chain inet wsl4 postrouting { type nat hook postrouting priority 90; policy accept; }
add map inet wsl4 blocks { typeof numgen inc mod 2 : interval ip saddr . tcp sport; size 2; comment "pool main"; }
add element inet wsl4 blocks { 0 comment "a block" : 198.18.2.101 . 1024-1151, 1 : 198.18.2.101 . 1152-1279 }
add rule inet wsl4 postrouting meta l4proto tcp snat ip to numgen inc mod 2 map @blocks comment "every port"
)");
}

TEST(NftText, PortBlocksOfIpv6AndUdp) {
  auto table = test::port_blocks(Family::kIpv6);
  table.sets["blocks"].port_protocol = Protocol::kUdp;
  const auto text = build_table(table).to_text();
  EXPECT_NE(text.find("{ typeof numgen inc mod 2 : interval ip6 saddr . udp sport; size 2;"), std::string::npos) << text;
  EXPECT_NE(text.find(" 1 : 2001:db8:2::101 . 1152-1279 }"), std::string::npos) << text;
  EXPECT_NE(text.find(" snat ip6 to numgen inc mod 2 map @blocks "), std::string::npos) << text;
}

TEST(NftText, ABlockOfOnePortAndARangeOfAddresses) {
  const auto spec = test::blocks_of(IpAddress::parse("198.18.2.101").value(), 1, 5, 1);
  const auto [key, block] = *spec.elements.begin();
  EXPECT_EQ(to_text("t", AddElements{"m", spec, {{key, block}}}), "add element inet t m { 0 : 198.18.2.101 . 5 }");
  const auto last = IpAddress::parse("198.18.2.104").value();
  const auto wide = KeyBuilder().add(IpAddress::parse("198.18.2.101").value()).add_port(1).add(last).add_port(9).take();
  EXPECT_EQ(to_text("t", AddElements{"m", spec, {{key, {wide, ""}}}}),
            "add element inet t m { 0 : 198.18.2.101-198.18.2.104 . 1-9 }");
  EXPECT_EQ(to_text("t", AddElements{"m", spec, {{key, {Bytes(3), ""}}}}), "add element inet t m { 0 :  }");
}

TEST(NftText, ClientLimits) {
  EXPECT_EQ(build_table(test::client_limits(Family::kIpv4)).to_text(),
            R"(add table inet wsl4 { comment "of a test"; }
add counter inet wsl4 refused { comment "over a limit"; }
add chain inet wsl4 limits
add set inet wsl4 connections { type ipv4_addr; size 1000; flags dynamic; }
add set inet wsl4 over { type ipv4_addr; }
add set inet wsl4 rates { type ipv4_addr; size 1000; flags dynamic; timeout 90s; comment "per client"; }
add rule inet wsl4 limits meta l4proto tcp ip saddr @over counter name "refused" reject with tcp reset
add rule inet wsl4 limits meta l4proto tcp add @connections { ip saddr ct count over 2 } counter name "refused" reject with tcp reset comment "too many"
add rule inet wsl4 limits meta l4proto tcp update @rates { ip saddr limit rate over 1/second burst 3 packets } counter name "refused" reject with tcp reset
)");
}

TEST(NftText, ClientsOfIpv6AreNetworks) {
  const auto rules = test::client_limits(Family::kIpv6).chains["limits"].rules;
  EXPECT_EQ(to_text(Rule{{rules[0].statements[1]}, ""}), "ip6 saddr and ffff:ffff:ffff:ffff:: @over");
  EXPECT_EQ(to_text(Rule{{rules[1].statements[1]}, ""}),
            "add @connections { ip6 saddr and ffff:ffff:ffff:ffff:: ct count over 2 }");
  EXPECT_EQ(to_text(Rule{{rules[2].statements[1]}, ""}),
            "update @rates { ip6 saddr and ffff:ffff:ffff:ffff:: limit rate over 1/second burst 3 packets }");
}

}  // namespace
}  // namespace wsl4::netlink::nft
