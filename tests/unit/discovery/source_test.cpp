#include "daemon/discovery/source.h"

#include <gtest/gtest.h>

namespace wsl4::discovery {
namespace {

TEST(DiscoverySource, NamesOfServicesAndOfHosts) {
  EXPECT_EQ(parse_source("dns:_ws._tcp.chat.example.com"), (Source{"_ws._tcp.chat.example.com", std::nullopt}));
  EXPECT_EQ(parse_source("dns:_WS._tcp.Chat.Example.com."), (Source{"_ws._tcp.chat.example.com", std::nullopt}));
  EXPECT_EQ(parse_source("dns:chat.example.com:8888"), (Source{"chat.example.com", std::uint16_t{8888}}));
  EXPECT_EQ(parse_source("dns:chat.example.com.:1"), (Source{"chat.example.com", std::uint16_t{1}}));
  EXPECT_EQ(parse_source("dns:chat:65535"), (Source{"chat", std::uint16_t{65535}}));
}

TEST(DiscoverySource, AnythingElseIsAnError) {
  for (const char* text : {"", "dns:", "dns", "dns:.", "DNS:chat", "srv:chat", "dns::80", "dns:chat:", "dns:chat:0",
                           "dns:chat:65536", "dns:chat:-1", "dns:chat:80x", "dns:chat:80:80", "chat.example.com:80"}) {
    const auto source = parse_source(text);
    ASSERT_FALSE(source) << text;
    EXPECT_NE(source.error().find("dns:HOST:PORT"), std::string::npos) << source.error();
  }
}

TEST(DiscoverySource, FamiliesAreThoseOfTheListenAddresses) {
  const auto v4 = *netlink::Endpoint::parse("198.18.0.1:80"), v6 = *netlink::Endpoint::parse("[2001:db8::1]:80");
  EXPECT_EQ(families_of({}), (Families{false, false}));
  EXPECT_EQ(families_of({v4}), (Families{true, false}));
  EXPECT_EQ(families_of({v6}), (Families{false, true}));
  EXPECT_EQ(families_of({v4, v4, v6}), (Families{true, true}));
}

}  // namespace
}  // namespace wsl4::discovery
