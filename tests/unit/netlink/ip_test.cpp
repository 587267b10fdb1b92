#include "netlink/ip.h"

#include <gtest/gtest.h>

#include <set>

namespace wsl4::netlink {
namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(IpAddress, parses_and_prints_what_inet_pton_takes) {
  for (const std::string text : {"0.0.0.0", "198.51.100.7", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2"}) {
    ASSERT_TRUE(IpAddress::parse(text)) << text;
    EXPECT_EQ(address(text).to_string(), text);
  }
  EXPECT_EQ(address("2001:DB8:0:0::1").to_string(), "2001:db8::1");
  EXPECT_EQ(address("198.51.100.7").family(), Family::kIpv4);
  EXPECT_EQ(address("::1").family(), Family::kIpv6);
}

TEST(IpAddress, refuses_everything_else) {
  for (const std::string text :
       {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", " 1.2.3.4", "1.2.3.4 ", "fe80::1%eth0", "[::1]", "name", "1:2", ":::"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(IpAddress, takes_4_or_16_bytes) {
  const std::array<std::uint8_t, 16> bytes{192, 0, 2, 1};
  EXPECT_EQ(IpAddress::from_bytes(std::span(bytes).first(4)), address("192.0.2.1"));
  EXPECT_EQ(IpAddress::from_bytes(bytes), address("c000:201::"));
  EXPECT_FALSE(IpAddress::from_bytes(std::span(bytes).first(5)));
  EXPECT_FALSE(IpAddress::from_bytes({}));
}

TEST(IpAddress, knows_special_ranges) {
  EXPECT_TRUE(address("0.0.0.0").is_unspecified());
  EXPECT_TRUE(address("::").is_unspecified());
  EXPECT_FALSE(address("::1").is_unspecified());
  EXPECT_TRUE(address("127.255.0.1").is_loopback());
  EXPECT_TRUE(address("::1").is_loopback());
  EXPECT_FALSE(address("1::1").is_loopback());
  EXPECT_TRUE(address("224.0.0.1").is_multicast());
  EXPECT_TRUE(address("239.255.255.255").is_multicast());
  EXPECT_FALSE(address("240.0.0.1").is_multicast());
  EXPECT_TRUE(address("ff02::1").is_multicast());
  EXPECT_TRUE(address("169.254.1.1").is_link_local());
  EXPECT_FALSE(address("169.255.1.1").is_link_local());
  EXPECT_TRUE(address("fe80::1").is_link_local());
  EXPECT_TRUE(address("febf::1").is_link_local());
  EXPECT_FALSE(address("fec0::1").is_link_local());
}

TEST(IpAddress, next_carries_and_wraps) {
  EXPECT_EQ(address("198.51.100.1").next(), address("198.51.100.2"));
  EXPECT_EQ(address("198.51.255.255").next(), address("198.52.0.0"));
  EXPECT_EQ(address("255.255.255.255").next(), address("0.0.0.0"));
  EXPECT_EQ(address("2001:db8::ffff").next(), address("2001:db8::1:0"));
}

TEST(IpAddress, orders_ipv4_before_ipv6_and_by_value) {
  EXPECT_LT(address("255.255.255.255"), address("::"));
  EXPECT_LT(address("9.0.0.0"), address("10.0.0.0"));
  EXPECT_EQ(std::hash<IpAddress>{}(address("10.0.0.1")), std::hash<IpAddress>{}(address("10.0.0.1")));
  EXPECT_NE(std::hash<IpAddress>{}(address("10.0.0.1")), std::hash<IpAddress>{}(address("10.0.0.2")));
}

TEST(Endpoint, parses_and_prints) {
  for (const std::string text : {"198.51.100.1:80", "[2001:db8::1]:65535", "0.0.0.0:1"}) {
    ASSERT_TRUE(Endpoint::parse(text)) << text;
    EXPECT_EQ(Endpoint::parse(text)->to_string(), text);
  }
  EXPECT_NE(std::hash<Endpoint>{}(*Endpoint::parse("10.0.0.1:80")), std::hash<Endpoint>{}(*Endpoint::parse("10.0.0.1:81")));
}

TEST(Endpoint, wants_a_port_and_brackets_for_ipv6_only) {
  for (const std::string text :
       {"198.51.100.1", "198.51.100.1:", "198.51.100.1:0", "198.51.100.1:65536", "198.51.100.1:+80", "198.51.100.1: 80",
        "2001:db8::1:80", "[2001:db8::1]", "[198.51.100.1]:80", "[]:80", ":80", "host:80"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Prefix, parses_prints_and_refuses) {
  EXPECT_EQ(Prefix::parse("198.51.100.7/24")->to_string(), "198.51.100.7/24");
  EXPECT_EQ(Prefix::parse("2001:db8::/128")->length, 128);
  for (const std::string text :
       {"198.51.100.0", "198.51.100.0/", "198.51.100.0/33", "2001:db8::/129", "198.51.100.0/-1", "/24", "1.2.3.4/2/4"}) {
    EXPECT_FALSE(Prefix::parse(text)) << text;
  }
}

TEST(Prefix, contains_ignores_host_bits) {
  const auto prefix = *Prefix::parse("198.51.100.77/22");
  EXPECT_EQ(prefix.network(), address("198.51.100.0"));
  EXPECT_TRUE(prefix.contains(address("198.51.103.255")));
  EXPECT_FALSE(prefix.contains(address("198.51.104.0")));
  EXPECT_FALSE(prefix.contains(address("::1")));
  EXPECT_TRUE(Prefix::parse("0.0.0.0/0")->contains(address("255.1.2.3")));
  EXPECT_TRUE(Prefix::parse("2001:db8::1/128")->contains(address("2001:db8::1")));
  EXPECT_FALSE(Prefix::parse("2001:db8::1/128")->contains(address("2001:db8::2")));
  EXPECT_TRUE(Prefix::parse("2001:db8::/33")->contains(address("2001:db8:7fff::")));
  EXPECT_FALSE(Prefix::parse("2001:db8::/33")->contains(address("2001:db8:8000::")));
  EXPECT_EQ(Prefix::parse("2001:db8:ffff::1/33")->network(), address("2001:db8:8000::"));
  EXPECT_EQ(Prefix::parse("2001:db8::1/128")->network(), address("2001:db8::1"));
}

}  // namespace
}  // namespace wsl4::netlink
