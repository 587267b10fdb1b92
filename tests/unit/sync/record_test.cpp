#include "sync/record.h"

#include <gtest/gtest.h>

#include "tests/support/sync_flows.h"

namespace wsl4::sync {
namespace {

using test::sync_flow;

TEST(Record, IsTheFlowAgain) {
  Dictionary dictionary;
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    auto flow = sync_flow(7, family);
    flow.flags = kClosing;
    EXPECT_EQ(expand(dictionary, acquire(dictionary, flow).value()), flow);
    flow.protocol = Protocol::kUdp;
    flow.snat = {flow.client.address, 99};  // mode dnat
    const auto record = acquire(dictionary, flow).value();
    EXPECT_EQ(record.value.snat, kClientItself);
    EXPECT_EQ(expand(dictionary, record), flow);
  }
}

TEST(Record, HoldsItsTermsUntilReleased) {
  Dictionary dictionary;
  const auto record = acquire(dictionary, sync_flow(1)).value();
  EXPECT_EQ(dictionary.size(), 3U);
  retain(dictionary, record);
  release(dictionary, record);
  EXPECT_EQ(dictionary.size(), 3U);
  release(dictionary, record);
  EXPECT_EQ(dictionary.size(), 0U);
}

TEST(Record, IsOfOneFamily) {
  Dictionary dictionary;
  auto flow = sync_flow(1);
  flow.backend = sync_flow(1, Family::kIpv6).backend;
  EXPECT_EQ(acquire(dictionary, flow), std::nullopt);
  EXPECT_EQ(dictionary.size(), 0U);
}

TEST(Record, IsFoundByTheOriginalTuple) {
  Dictionary dictionary;
  const auto flow = sync_flow(1);
  EXPECT_EQ(find_key(dictionary, flow), std::nullopt);
  const auto record = acquire(dictionary, flow).value();
  Flow only_key;
  only_key.client = flow.client;
  only_key.vip = flow.vip;
  EXPECT_EQ(find_key(dictionary, only_key), record.key);
  EXPECT_EQ(expand(dictionary, record.key), only_key);
  only_key.protocol = Protocol::kUdp;
  EXPECT_EQ(find_key(dictionary, only_key), std::nullopt);
}

TEST(ContentHash, DoesNotDependOnNumbers) {
  Dictionary one, other;
  const auto unrelated = acquire(other, sync_flow(2, Family::kIpv6)).value();
  const auto here = acquire(one, sync_flow(1)).value(), there = acquire(other, sync_flow(1)).value();
  EXPECT_NE(here.key.vip, there.key.vip);
  EXPECT_EQ(content_hash(one, here.key), content_hash(other, there.key));
  EXPECT_EQ(content_hash(one, here), content_hash(other, there));
  EXPECT_NE(content_hash(other, unrelated), content_hash(other, there));
}

TEST(ContentHash, CoversAllButTheTimeout) {
  Dictionary dictionary;
  const auto hash = [&](const Flow& flow) { return content_hash(dictionary, acquire(dictionary, flow).value()); };
  const auto flow = sync_flow(1);
  auto other = flow;
  other.timeout_s = 1;
  EXPECT_EQ(hash(other), hash(flow));
  const auto differs = [&](auto change) {
    auto changed = flow;
    change(changed);
    return hash(changed) != hash(flow);
  };
  EXPECT_TRUE(differs([](Flow& f) { f.protocol = Protocol::kUdp; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.client.address.bytes[0]; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.client.port; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.vip.port; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.backend.port; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.snat.address.bytes[3]; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.snat.port; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.tcp_state; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.wscale_original; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.wscale_reply; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.tcp_flags_original; }));
  EXPECT_TRUE(differs([](Flow& f) { ++f.tcp_flags_reply; }));
  EXPECT_TRUE(differs([](Flow& f) { f.flags = kClosing; }));
}

}  // namespace
}  // namespace wsl4::sync
