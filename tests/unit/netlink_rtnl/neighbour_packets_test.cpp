#include "netlink/rtnl/neighbour_packets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <net/ethernet.h>

namespace wsl4::netlink::rtnl {
namespace {

constexpr Mac kMac{0x02, 0, 0, 0, 0, 0x99};

IpAddress address(const char* text) { return *IpAddress::parse(text); }

TEST(NeighbourPackets, AnAnnouncementNamesItsSenderAsHolder) {
  for (const char* text : {"198.18.1.100", "2001:db8::100"}) {
    const auto packet = announcement(kMac, address(text));
    EXPECT_EQ(holder_in(packet.ethertype, packet.bytes), (Holder{address(text), kMac})) << text;
  }
}

TEST(NeighbourPackets, AProbeNamesNobody) {
  for (const char* text : {"198.18.1.100", "2001:db8::100"}) {
    const auto packet = probe(kMac, address(text));
    EXPECT_EQ(holder_in(packet.ethertype, packet.bytes), std::nullopt) << text;
  }
}

TEST(NeighbourPackets, AnIpv6ProbeGoesToTheGroupOfTheAddress) {
  const auto packet = probe(kMac, address("2001:db8::12:3456"));
  EXPECT_EQ(packet.destination, (Mac{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
  const std::span destination = std::span(packet.bytes).subspan(24, 16);
  EXPECT_EQ(IpAddress::from_bytes(destination), address("ff02::1:ff12:3456"));
}

TEST(NeighbourPackets, AnAnswerToAProbeNamesTheHolder) {
  // As a host answers with ARP: operation 2, the asker has no address.
  const std::vector<std::uint8_t> answer{0,   1,  8, 0,   6, 4, 0, 2,  //
                                         2,   0,  0, 0,   0, 7,        //
                                         198, 18, 1, 100,              //
                                         2,   0,  0, 0,   0, 1, 0, 0, 0, 0};
  EXPECT_EQ(holder_in(ETHERTYPE_ARP, answer), (Holder{address("198.18.1.100"), {2, 0, 0, 0, 0, 7}}));
}

/// Whatever the length at which a packet ends, nobody reads on.
TEST(NeighbourPackets, ACutPacketNamesNobody) {
  for (const char* text : {"198.18.1.100", "2001:db8::100"}) {
    const auto packet = announcement(kMac, address(text));
    for (std::size_t size = 0; size < packet.bytes.size(); ++size) {
      const std::vector<std::uint8_t> cut(packet.bytes.begin(), packet.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(holder_in(packet.ethertype, cut), std::nullopt) << text << " cut to " << size;
    }
  }
}

TEST(NeighbourPackets, WhatIsNoAdvertisementNamesNobody) {
  const auto good = announcement(kMac, address("2001:db8::100"));
  for (const auto& [at, value] : {std::pair{6U, 17}, {7U, 64}, {40U, 135}, {64U, 1}, {65U, 0}, {65U, 200}}) {
    auto bytes = good.bytes;
    bytes[at] = static_cast<std::uint8_t>(value);
    EXPECT_EQ(holder_in(good.ethertype, bytes), std::nullopt) << "byte " << at << " is " << value;
  }
  EXPECT_EQ(holder_in(ETHERTYPE_ARP, good.bytes), std::nullopt);
  EXPECT_EQ(holder_in(0x0800, good.bytes), std::nullopt);
}

}  // namespace
}  // namespace wsl4::netlink::rtnl
