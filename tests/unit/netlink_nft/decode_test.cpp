// What we encode is what we decode: a batch's messages have the shape of the kernel's listing.
#include "netlink/nft/decode.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink/nft/batch.h"
#include "tests/support/sample_tables.h"

namespace wsl4::netlink::nft {
namespace {

void decode(const Batch& batch, Table& table) {
  std::map<std::string, CounterValue> values;
  MessageReader messages(batch.bytes);
  while (const auto message = messages.next()) {
    const int kind = message->type & 0xff;
    if (kind == NFT_MSG_NEWTABLE) decode_table(message->payload, table);
    if (kind == NFT_MSG_NEWCHAIN) decode_chain(message->payload, table);
    if (kind == NFT_MSG_NEWSET) decode_set(message->payload, table);
    if (kind == NFT_MSG_NEWSETELEM) decode_elements(message->payload, table);
    if (kind == NFT_MSG_NEWOBJ) decode_object(message->payload, table, values);
    if (kind == NFT_MSG_NEWRULE) decode_rule(message->payload, table);
  }
}

/// Elements in a batch of their own: there they name their set, as in a listing.
Table round_trip(const Table& table) {
  Transaction elements(table.name), all_else(table.name);
  const auto build = build_table(table);
  for (const auto& operation : build.operations())
    (std::holds_alternative<AddElements>(operation) ? elements : all_else).add(operation);
  Table back;
  back.name = table.name;
  decode(encode_batch(all_else, 1), back);
  decode(encode_batch(elements, 1), back);
  return back;
}

TEST(NftDecode, TablesComeBackAsTheyWere) {
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    for (const auto& table : {test::port_blocks(family), test::client_limits(family)}) EXPECT_EQ(round_trip(table), table);
    auto of_udp = test::port_blocks(family);
    of_udp.sets["blocks"].port_protocol = Protocol::kUdp;
    EXPECT_EQ(round_trip(of_udp), of_udp);
  }
}

TEST(NftDecode, WhatPacketsAddedToASetIsPassedOver) {
  auto table = test::client_limits(Family::kIpv4);
  const auto want = table;
  const auto client = KeyBuilder().add(IpAddress::parse("198.18.1.10").value()).take();
  table.sets.at("connections").elements[client] = {};
  table.sets.at("rates").elements[client] = {};
  EXPECT_EQ(round_trip(table), want);
}

TEST(NftDecode, AFlowtableIsSomethingUnknown) {
  MessageWriter message;
  message.begin(NFT_MSG_NEWFLOWTABLE, 0, 0);
  message.header(nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
  message.put(NFTA_FLOWTABLE_TABLE, Bytes{'t', 0});
  message.end();
  MessageReader messages(message.bytes());
  const auto payload = messages.next()->payload;
  Table table, other;
  table.name = "t";
  other.name = "other";
  decode_flowtable(payload, table);
  decode_flowtable(payload, other);
  EXPECT_TRUE(table.unknown);
  EXPECT_FALSE(other.unknown);
}

}  // namespace
}  // namespace wsl4::netlink::nft
