#include "netlink/conntrack/parser.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <linux/netlink.h>

#include "netlink/message.h"

namespace wsl4::netlink::conntrack {
namespace {

using Oracle = std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)>;
using Bytes = std::vector<std::uint8_t>;

Endpoint endpoint(const char* text) { return Endpoint::parse(text).value(); }

Flow ipv4_flow() {
  Flow flow;
  flow.original = {endpoint("198.18.1.10:40000"), endpoint("198.18.0.100:80"), Protocol::kTcp};
  flow.reply = {endpoint("198.19.0.10:8080"), endpoint("198.19.0.200:1234"), Protocol::kTcp};
  flow.id = 0xdeadbeef;
  flow.status = 0x1be;
  flow.mark = 0x00012300;
  flow.timeout = std::chrono::seconds{431999};
  flow.tcp_state = TcpState::kEstablished;
  flow.wscale_original = 7;
  flow.wscale_reply = 9;
  flow.tcp_flags_original = 0x23;
  flow.tcp_flags_reply = 0x33;
  return flow;
}

Flow ipv6_udp_flow() {
  Flow flow;
  flow.original = {endpoint("[2001:db8::10]:40000"), endpoint("[2001:db8::100]:53"), Protocol::kUdp};
  flow.reply = {endpoint("[2001:db8:1::10]:5353"), endpoint("[2001:db8:1::200]:1"), Protocol::kUdp};
  flow.timeout = std::chrono::seconds{30};
  flow.id = 1;
  return flow;
}

void set_address(nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6, const IpAddress& address) {
  nfct_set_attr(entry, address.family() == Family::kIpv4 ? v4 : v6, address.bytes().data());
}

/// The flow as libnetfilter_conntrack would send it.
Bytes build_by_oracle(const Flow& flow) {
  const Oracle entry(nfct_new(), nfct_destroy);
  const auto af = static_cast<std::uint8_t>(to_af(flow.original.source.address.family()));
  nfct_set_attr_u8(entry.get(), ATTR_L3PROTO, af);
  nfct_set_attr_u8(entry.get(), ATTR_REPL_L3PROTO, static_cast<std::uint8_t>(to_af(flow.reply.source.address.family())));
  nfct_set_attr_u8(entry.get(), ATTR_L4PROTO, static_cast<std::uint8_t>(flow.original.protocol));
  nfct_set_attr_u8(entry.get(), ATTR_REPL_L4PROTO, static_cast<std::uint8_t>(flow.original.protocol));
  set_address(entry.get(), ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, flow.original.source.address);
  set_address(entry.get(), ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, flow.original.destination.address);
  set_address(entry.get(), ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC, flow.reply.source.address);
  set_address(entry.get(), ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST, flow.reply.destination.address);
  nfct_set_attr_u16(entry.get(), ATTR_ORIG_PORT_SRC, htons(flow.original.source.port));
  nfct_set_attr_u16(entry.get(), ATTR_ORIG_PORT_DST, htons(flow.original.destination.port));
  nfct_set_attr_u16(entry.get(), ATTR_REPL_PORT_SRC, htons(flow.reply.source.port));
  nfct_set_attr_u16(entry.get(), ATTR_REPL_PORT_DST, htons(flow.reply.destination.port));
  nfct_set_attr_u32(entry.get(), ATTR_STATUS, flow.status);
  nfct_set_attr_u32(entry.get(), ATTR_MARK, flow.mark);
  nfct_set_attr_u32(entry.get(), ATTR_TIMEOUT, static_cast<std::uint32_t>(flow.timeout.count()));
  if (flow.original.protocol == Protocol::kTcp) {
    nfct_set_attr_u8(entry.get(), ATTR_TCP_STATE, static_cast<std::uint8_t>(flow.tcp_state));
    nfct_set_attr_u8(entry.get(), ATTR_TCP_WSCALE_ORIG, flow.wscale_original);
    nfct_set_attr_u8(entry.get(), ATTR_TCP_WSCALE_REPL, flow.wscale_reply);
    nfct_set_attr_u8(entry.get(), ATTR_TCP_FLAGS_ORIG, flow.tcp_flags_original);
    nfct_set_attr_u8(entry.get(), ATTR_TCP_FLAGS_REPL, flow.tcp_flags_reply);
    nfct_set_attr_u8(entry.get(), ATTR_TCP_MASK_ORIG, 0xff);
    nfct_set_attr_u8(entry.get(), ATTR_TCP_MASK_REPL, 0xff);
  }
  alignas(nlmsghdr) std::array<std::uint8_t, 4096> buffer{};
  auto* const head = reinterpret_cast<nlmsghdr*>(buffer.data());
  head->nlmsg_len = NLMSG_HDRLEN + 4;
  buffer[NLMSG_HDRLEN] = af;
  EXPECT_EQ(nfct_nlmsg_build(head, entry.get()), 0);
  return {buffer.begin() + NLMSG_HDRLEN, buffer.begin() + head->nlmsg_len};
}

TEST(ParseFlow, ReadsWhatTheOracleBuilds) {
  for (Flow flow : {ipv4_flow(), ipv6_udp_flow()}) {
    const auto parsed = parse_flow(build_by_oracle(flow));
    ASSERT_TRUE(parsed);
    flow.id = 0;                        // a number that only the kernel gives
    flow.status |= status::kConfirmed;  // set by the library
    EXPECT_EQ(*parsed, flow);
  }
}

TEST(ParseFlow, ReadsTheId) {
  MessageWriter more;
  more.put_be32(12 /* CTA_ID */, 0xdeadbeef);
  Bytes payload = build_by_oracle(ipv4_flow());
  payload.insert(payload.end(), more.bytes().begin(), more.bytes().end());
  EXPECT_EQ(parse_flow(payload)->id, 0xdeadbeef);
}

TEST(ParseFlow, SurvivesTruncationAtEveryByte) {
  for (const Flow& flow : {ipv4_flow(), ipv6_udp_flow()}) {
    const Bytes whole = build_by_oracle(flow);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));  // its own allocation: ASan sees the end
      if (const auto parsed = parse_flow(part)) {
        EXPECT_EQ(parsed->original, flow.original) << size;  // cut between attributes
      }
    }
  }
}

TEST(ParseFlow, SurvivesEveryFlippedBit) {
  const Bytes whole = build_by_oracle(ipv4_flow());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    if (const auto parsed = parse_flow(flipped)) {
      EXPECT_LE(parsed->tcp_state, TcpState::kSynSent2) << bit;
      EXPECT_EQ(parsed->original.source.address.family(), parsed->reply.destination.address.family()) << bit;
    }
  }
}

TEST(ParseFlow, RefusesOtherProtocolsAndMixedFamilies) {
  Flow icmp = ipv4_flow();
  icmp.original.protocol = static_cast<Protocol>(1);
  EXPECT_FALSE(parse_flow(build_by_oracle(icmp)));

  Flow mixed = ipv4_flow();
  mixed.reply = ipv6_udp_flow().reply;
  EXPECT_FALSE(parse_flow(build_by_oracle(mixed)));
}

TEST(ParseFlow, RefusesAMissingReplyTuple) {
  MessageWriter writer;
  writer.header(std::uint32_t{});
  writer.put_be32(3, 8);
  EXPECT_FALSE(parse_flow(writer.bytes()));
}

}  // namespace
}  // namespace wsl4::netlink::conntrack
