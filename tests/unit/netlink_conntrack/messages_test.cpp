// What we send, read by libnetfilter_conntrack and by our own parser.
#include "netlink/conntrack/messages.h"

#include <gtest/gtest.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#include <algorithm>
#include <array>
#include <memory>

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/conntrack/parser.h"

namespace wsl4::netlink::conntrack {
namespace {

Flow flow_of(const char* client, const char* vip, const char* backend, const char* snat) {
  Flow flow;
  flow.original = {*Endpoint::parse(client), *Endpoint::parse(vip), Protocol::kTcp};
  flow.reply = {*Endpoint::parse(backend), *Endpoint::parse(snat), Protocol::kTcp};
  flow.mark = 0x4200;
  flow.timeout = std::chrono::seconds{600};
  flow.tcp_state = TcpState::kEstablished;
  flow.wscale_original = 7;
  flow.wscale_reply = 10;
  flow.tcp_flags_original = 0x33;
  flow.tcp_flags_reply = 0x23;
  return flow;
}
const Flow kFlow = flow_of("198.18.1.10:40000", "198.18.0.100:80", "198.19.0.10:8080", "198.19.0.200:1234");

Message only_message(const MessageWriter& writer) {
  MessageReader reader(writer.bytes());
  const auto message = reader.next();
  EXPECT_TRUE(message);
  EXPECT_FALSE(reader.next());
  return message.value_or(Message{});
}

TEST(Messages, InsertTellsTheOriginalAndItsPlainInverse) {
  MessageWriter writer;
  write_insert(writer, kFlow, 7);
  const Message message = only_message(writer);
  EXPECT_EQ(message.type, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
  EXPECT_EQ(message.flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
  EXPECT_EQ(message.sequence, 7U);

  const auto parsed = parse_flow(message.payload);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->original, kFlow.original);
  EXPECT_EQ(parsed->reply.source, kFlow.original.destination);
  EXPECT_EQ(parsed->reply.destination, kFlow.original.source);
  EXPECT_EQ(parsed->status, 0x0eU);
  EXPECT_EQ(parsed->mark, kFlow.mark);
  EXPECT_EQ(parsed->timeout, kFlow.timeout);
  EXPECT_EQ(parsed->tcp_flags_original, 0x0b);  // liberal, without what only the other node knew
  EXPECT_EQ(parsed->tcp_flags_reply, 0x0b);
}

TEST(Messages, InsertIsWhatTheOracleUnderstands) {
  MessageWriter writer;
  write_insert(writer, kFlow, 7);
  const std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)> entry(nfct_new(), nfct_destroy);
  alignas(nlmsghdr) std::array<std::uint8_t, 1024> copy{};
  std::copy(writer.bytes().begin(), writer.bytes().end(), copy.begin());
  ASSERT_EQ(nfct_nlmsg_parse(reinterpret_cast<const nlmsghdr*>(copy.data()), entry.get()), 0);
  EXPECT_EQ(nfct_get_attr_u8(entry.get(), ATTR_TCP_STATE), 3);
  EXPECT_EQ(nfct_get_attr_u8(entry.get(), ATTR_TCP_WSCALE_ORIG), 7);
  EXPECT_EQ(nfct_get_attr_u8(entry.get(), ATTR_TCP_WSCALE_REPL), 10);
  EXPECT_EQ(nfct_get_attr_u32(entry.get(), ATTR_TIMEOUT), 600U);
}

TEST(Messages, EraseNamesTheIdOnlyWhereThereIsOne) {
  const auto has_id = [](const Flow& flow) {
    MessageWriter writer;
    write_erase(writer, flow, 1);
    AttributeReader reader(only_message(writer).payload.subspan(sizeof(nfgenmsg)));
    bool found = false;
    while (const auto attribute = reader.next()) found |= attribute->type == CTA_ID && read_be32(attribute->value) == 0x01020304U;
    EXPECT_FALSE(reader.broken());
    return found;
  };
  Flow flow = kFlow;
  EXPECT_FALSE(has_id(flow));
  flow.id = 0x01020304;
  EXPECT_TRUE(has_id(flow));
}

TEST(Messages, SeveralStandInOneBufferAndTheLastAsksForAnAnswer) {
  MessageWriter writer;
  for (std::uint32_t sequence = 1; sequence <= 3; ++sequence) write_erase(writer, kFlow, sequence);
  writer.add_flags_to_last(NLM_F_ACK);
  MessageReader reader(writer.bytes());
  for (std::uint32_t sequence = 1; sequence <= 3; ++sequence) {
    const auto message = reader.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->sequence, sequence);
    EXPECT_EQ((message->flags & NLM_F_ACK) != 0, sequence == 3);
  }
  EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace wsl4::netlink::conntrack
