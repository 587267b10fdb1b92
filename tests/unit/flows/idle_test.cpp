#include "daemon/flows/idle.h"

#include <gtest/gtest.h>

namespace wsl4::flows {
namespace {

using namespace std::chrono_literals;
using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

constexpr std::chrono::seconds kEstablished = 3600s + kEstablishedMargin;

Flow with(std::chrono::seconds remaining, TcpState state = TcpState::kEstablished) {
  Flow flow;
  flow.timeout = remaining;
  flow.tcp_state = state;
  return flow;
}

TEST(IsIdle, SilentForTheTimeoutAndNotAMomentLess) {
  EXPECT_FALSE(is_idle(with(kEstablished), kEstablished, 1h));
  EXPECT_FALSE(is_idle(with(kEstablished - 3599s), kEstablished, 1h));
  EXPECT_TRUE(is_idle(with(kEstablished - 3600s), kEstablished, 1h));
}

TEST(IsIdle, UnacknowledgedDataIsTheKernelsMatter) {
  EXPECT_TRUE(is_idle(with(301s), kEstablished, 1h));
  EXPECT_FALSE(is_idle(with(300s), kEstablished, 1h));
}

TEST(IsIdle, AShorterServiceBesideALongerOne) {
  EXPECT_FALSE(is_idle(with(kEstablished - 4s), kEstablished, 5s));
  EXPECT_TRUE(is_idle(with(kEstablished - 5s), kEstablished, 5s));
}

TEST(IsIdle, NeverMeansNever) { EXPECT_FALSE(is_idle(with(301s), kEstablished, 0s)); }

TEST(IsIdle, OnlyEstablishedFlows) {
  EXPECT_FALSE(is_idle(with(400s, TcpState::kTimeWait), kEstablished, 1h));
  EXPECT_FALSE(is_idle(with(400s, TcpState::kNone), kEstablished, 1h));
}

TEST(LookInterval, ATwentiethOfTheTimeoutWithinBounds) {
  EXPECT_EQ(look_interval(100s, 0ms), 5s);
  EXPECT_EQ(look_interval(1s, 0ms), 2s);
  EXPECT_EQ(look_interval(1h, 0ms), 30s);
  EXPECT_EQ(look_interval(0s, 0ms), 30s);
}

TEST(LookInterval, LookingCostsAtMostAHundredth) { EXPECT_EQ(look_interval(1h, 3300ms), 330s); }

}  // namespace
}  // namespace wsl4::flows
