#include "daemon/flows/bridge.h"

#include <gtest/gtest.h>

#include "tests/support/sync_flows.h"

namespace wsl4::flows {
namespace {

namespace ct = netlink::conntrack;

class BridgeTest : public testing::TestWithParam<sync::Family> {};

TEST_P(BridgeTest, AFlowIsTheSameAfterItsWayThroughTheOtherNode) {
  const auto flow = test::sync_flow(70'000, GetParam());
  auto entry = to_kernel(flow);
  EXPECT_EQ(entry.timeout, kCopyTimeout) << "a copy does not run out";
  entry.timeout = std::chrono::seconds(flow.timeout_s);
  auto back = to_sync(entry, false);
  EXPECT_EQ(back.tcp_flags_original, 3) << "only the flags that last";
  back.tcp_flags_original = flow.tcp_flags_original;
  back.tcp_flags_reply = flow.tcp_flags_reply;
  EXPECT_EQ(back, flow);
}

INSTANTIATE_TEST_SUITE_P(Families, BridgeTest, testing::Values(sync::Family::kIpv4, sync::Family::kIpv6));

TEST(Bridge, ACopyOfAFlowThatClosesKeepsItsTimerAndIsOneThatHasClosed) {
  auto entry = to_kernel(test::sync_flow(1));
  entry.tcp_state = ct::TcpState::kCloseWait;
  entry.timeout = std::chrono::seconds(59);
  const auto closing = to_sync(entry, true);
  EXPECT_EQ(closing.flags, sync::kClosing);
  const auto copy = to_kernel(closing);
  EXPECT_EQ(copy.timeout, std::chrono::seconds(59));
  EXPECT_EQ(copy.tcp_state, ct::TcpState::kTimeWait);
}

TEST(Bridge, ATimerThatNoPacketHasSetTellsAnUntouchedCopy) {
  auto entry = to_kernel(test::sync_flow(1));
  EXPECT_TRUE(is_untouched_copy(entry));
  entry.timeout = std::chrono::hours(24 * 5);
  EXPECT_FALSE(is_untouched_copy(entry));
}

TEST(Bridge, HalfOpenTcpIsNotCopiedAndUdpAlwaysIs) {
  ct::Flow flow;
  flow.original.protocol = netlink::Protocol::kTcp;
  EXPECT_FALSE(is_copied(flow));
  flow.status = ct::status::kAssured;
  EXPECT_TRUE(is_copied(flow));
  flow.status = 0;
  flow.original.protocol = netlink::Protocol::kUdp;
  EXPECT_TRUE(is_copied(flow));
}

TEST(BackendNumbers, FollowFromProtocolVipAndBackend) {
  service::DesiredState state;
  auto& chat = state.services["chat"];
  chat.listen = {*netlink::Endpoint::parse("198.18.0.100:443"), *netlink::Endpoint::parse("[2001:db8::100]:443")};
  for (unsigned n = 0; n < 3; ++n) {
    auto& backend = chat.backends.emplace_back();
    backend.id = service::BackendId{n + 1};
    backend.address = *netlink::Endpoint::parse("198.18.2." + std::to_string(n) + ":8888");
  }
  BackendNumbers numbers;
  EXPECT_TRUE(numbers.follow({{}, {state.services.begin(), state.services.end()}}, {}));
  EXPECT_FALSE(numbers.follow({{}, {state.services.begin(), state.services.end()}}, state)) << "nobody listens elsewhere";
  auto place = place_of(test::sync_flow(2));  // to 198.18.2.2:8888
  EXPECT_EQ(numbers.find(place), service::BackendId{3});
  place.protocol = netlink::Protocol::kUdp;
  EXPECT_EQ(numbers.find(place), std::nullopt);
  place = place_of(test::sync_flow(2));
  place.vip = chat.listen[1];
  EXPECT_EQ(numbers.find(place), std::nullopt) << "no backend of the other family";

  // The VIP moves to another service, whose backend has another number.
  service::StateChange move;
  move.services["chat"] = std::nullopt;
  auto& talk = move.services["talk"].emplace();
  talk.listen = chat.listen;
  talk.backends = {chat.backends[2]};
  talk.backends[0].id = service::BackendId{9};
  EXPECT_TRUE(numbers.follow(move, state));
  EXPECT_EQ(numbers.find(place_of(test::sync_flow(2))), service::BackendId{9});
  EXPECT_EQ(numbers.find(place_of(test::sync_flow(1))), std::nullopt);

  // Where nobody listens any more.
  numbers.set_gone({{place_of(test::sync_flow(1)), 12}, {place_of(test::sync_flow(2)), 13}});
  EXPECT_EQ(numbers.find(place_of(test::sync_flow(1))), service::BackendId{12});
  EXPECT_EQ(numbers.find(place_of(test::sync_flow(2))), service::BackendId{9}) << "a service comes first";
  numbers.set_gone({});
  EXPECT_EQ(numbers.find(place_of(test::sync_flow(1))), std::nullopt);
}

}  // namespace
}  // namespace wsl4::flows
