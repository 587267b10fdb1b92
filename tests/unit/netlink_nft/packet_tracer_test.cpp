#include "tests/support/packet_tracer.h"

#include <gtest/gtest.h>

#include "tests/support/sample_tables.h"

namespace wsl4::test {
namespace {

using netlink::Endpoint;
using netlink::Family;
using netlink::nft::Hook;

Packet syn_from(const char* client) {
  Packet packet;
  packet.from = Endpoint::parse(client).value();
  packet.to = Endpoint::parse(packet.from.address.family() == Family::kIpv4 ? "198.18.1.100:80" : "[2001:db8:1::100]:80").value();
  return packet;
}

Trace::End end_of(PacketTracer& tracer, const char* client) { return tracer.arrive(syn_from(client)).end; }

/// The limits at the entrance; `kept` is the one rule that stays.
PacketTracer limiter(Family family, std::size_t kept) {
  auto table = client_limits(family);
  auto& chain = table.chains["limits"];
  chain.hook = Hook{Hook::Type::kNat, Hook::Point::kPrerouting, -110};
  chain.rules = {chain.rules.at(kept)};
  return {table, {}};
}

TEST(PacketTracer, BlocksAreDealtInTurn) {
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    PacketTracer tracer(port_blocks(family), {});
    const auto* client = family == Family::kIpv4 ? "198.18.1.10:5000" : "[2001:db8:1::10]:5000";
    for (const auto first : {1024, 1152, 1024}) {
      const auto trace = tracer.arrive(syn_from(client));
      EXPECT_EQ(trace.from.address.to_string(), family == Family::kIpv4 ? "198.18.2.101" : "2001:db8:2::101");
      EXPECT_EQ(trace.port_min, first);
      EXPECT_EQ(trace.port_max, first + 127);
    }
  }
}

TEST(PacketTracer, TheThirdFlowOfAClientIsOverALimitOfTwo) {
  auto tracer = limiter(Family::kIpv6, 1);
  EXPECT_EQ(end_of(tracer, "[2001:db8:7::1]:1"), Trace::End::kForwarded);
  EXPECT_EQ(end_of(tracer, "[2001:db8:7::2]:1"), Trace::End::kForwarded);
  EXPECT_EQ(end_of(tracer, "[2001:db8:7::3]:1"), Trace::End::kReset) << "of the same /64";
  EXPECT_EQ(end_of(tracer, "[2001:db8:8::1]:1"), Trace::End::kForwarded) << "of another one";
}

TEST(PacketTracer, TheFourthPacketOfAClientIsOverABurstOfThree) {
  auto tracer = limiter(Family::kIpv4, 2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(end_of(tracer, "198.18.1.10:1"), Trace::End::kForwarded);
  EXPECT_EQ(end_of(tracer, "198.18.1.10:1"), Trace::End::kReset);
  EXPECT_EQ(end_of(tracer, "198.18.1.11:1"), Trace::End::kForwarded);
}

TEST(PacketTracer, AFullSetLimitsNobodyElse) {
  auto table = client_limits(Family::kIpv4);
  table.chains["limits"].hook = Hook{Hook::Type::kNat, Hook::Point::kPrerouting, -110};
  table.sets["connections"].size = 1;
  PacketTracer tracer(table, {});
  EXPECT_EQ(end_of(tracer, "198.18.1.10:1"), Trace::End::kForwarded);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(end_of(tracer, "198.18.1.11:1"), Trace::End::kForwarded);
}

}  // namespace
}  // namespace wsl4::test
