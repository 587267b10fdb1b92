#include "daemon/flows/evictor.h"

#include <gtest/gtest.h>

#include "tests/support/fake_conntrack.h"
#include "tests/support/recording_prober.h"

namespace wsl4::flows {
namespace {

using netlink::Endpoint;
using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

const service::MarkLayout kEvictedMark;

Flow flow_over(std::uint16_t port, service::BackendId backend, TcpState state = TcpState::kEstablished) {
  Flow flow;
  flow.original = {*Endpoint::parse("198.18.1.10:1"), *Endpoint::parse("198.18.1.100:443")};
  flow.reply = {*Endpoint::parse("198.18.2.11:80"), *Endpoint::parse("198.18.2.101:1")};
  flow.original.source.port = flow.reply.destination.port = port;
  flow.status = netlink::conntrack::status::kAssured;
  flow.mark = kEvictedMark.to_mark(backend);
  flow.tcp_state = state;
  flow.timeout = std::chrono::seconds(100);
  return flow;
}

class EvictorTest : public testing::Test {
 protected:
  void add(std::uint16_t first, std::uint16_t count, service::BackendId backend, TcpState state = TcpState::kEstablished) {
    for (std::uint16_t i = 0; i < count; ++i) kernel.add(flow_over(static_cast<std::uint16_t>(first + i), backend, state));
  }
  std::size_t left(service::BackendId backend) {
    std::size_t number = 0;
    const auto dump = kernel.dump({kEvictedMark.backend_mask(), kEvictedMark.to_mark(backend)}).value();
    while (dump->step([&number](const Flow&) { ++number; }).value()) {}
    return number;
  }
  void finish() {
    while (evictor.busy()) ASSERT_TRUE(evictor.step());
  }

  test::FakeConntrack kernel;
  test::RecordingProber prober;
  FlowEnder ender{kernel, prober};
  Evictor evictor{kernel, ender, kEvictedMark};
};

TEST_F(EvictorTest, EndsAsManyAsAskedForAndTellsBothEnds) {
  add(1, 500, 1);
  add(1000, 500, 2);
  EXPECT_EQ(evictor.evict(1, 20).value(), 20U);
  EXPECT_EQ(left(1), 480U);
  EXPECT_EQ(left(2), 500U);
  EXPECT_EQ(prober.probes.size(), 40U);
}

TEST_F(EvictorTest, GoesOnWhereItWasAndEndsWithTheTable) {
  add(1, 300, 1);
  for (int round = 0; round < 4; ++round) EXPECT_EQ(evictor.evict(1, 70).value(), 70U);
  EXPECT_EQ(evictor.evict(1, 70).value(), 20U);
  EXPECT_EQ(evictor.evict(1, 70).value(), 0U);
  add(2000, 5, 1);
  EXPECT_EQ(evictor.evict(1, 70).value(), 5U) << "flows that came later are found by the next walk";
}

TEST_F(EvictorTest, TakesOthersForThoseThatEndedByThemselves) {
  add(1, 200, 1);
  EXPECT_EQ(evictor.evict(1, 1).value(), 1U);  // finds the first piece of the table
  std::vector<Flow> ended;
  for (std::uint16_t port = 1; port <= 100; ++port)
    if (const auto there = kernel.find(flow_over(port, 1).original)) ended.push_back(*there);
  ASSERT_TRUE(kernel.erase(ended));
  EXPECT_EQ(evictor.evict(1, 50).value(), 50U);
  EXPECT_EQ(left(1), 50U);
}

TEST_F(EvictorTest, LeavesWhatClosesOrOnlyBegins) {
  add(1, 10, 1, TcpState::kTimeWait);
  add(100, 10, 1, TcpState::kSynSent);
  add(200, 3, 1);
  EXPECT_EQ(evictor.evict(1, 50).value(), 3U);
}

TEST_F(EvictorTest, ForgetsUdpFlowsAndAsksNobody) {
  for (std::uint16_t port = 1; port <= 10; ++port) {
    auto datagrams = flow_over(port, 1, TcpState::kNone);
    datagrams.original.protocol = datagrams.reply.protocol = netlink::Protocol::kUdp;
    kernel.add(datagrams);
  }
  EXPECT_EQ(evictor.evict(1, 7).value(), 7U);
  EXPECT_EQ(left(1), 3U);
  EXPECT_TRUE(prober.probes.empty());
}

TEST_F(EvictorTest, EndsAllOfABackendHalfOpenOnesTooButAsksNoDeadBackend) {
  add(1, 400, 1);
  add(500, 10, 1, TcpState::kSynSent);
  add(1000, 50, 2);
  evictor.end_all(1, FlowEnder::Tell::kClient);
  finish();
  EXPECT_EQ(left(1), 0U);
  EXPECT_EQ(left(2), 50U);
  ASSERT_EQ(prober.probes.size(), 400U);
  for (const auto& [from, to] : prober.probes) EXPECT_EQ(from, *Endpoint::parse("198.18.1.100:443"));
}

/// Ten flows of backend 1 and of backend 2 are to be ended, and the first looks at the table, so many, fail.
struct EvictorAfterErrors : EvictorTest {
  void end_all(int failures) {
    add(1, 10, 1);
    add(100, 10, 2);
    evictor.end_all(1, FlowEnder::Tell::kClient);
    evictor.end_all(2, FlowEnder::Tell::kClient);
    for (int look = 0; look < failures; ++look) {
      kernel.fail_next({ENOBUFS, "dump"});
      EXPECT_FALSE(evictor.step());
    }
    finish();
  }
};

TEST_F(EvictorAfterErrors, GoesThroughTheTableAgain) {
  end_all(2);
  EXPECT_EQ(left(1), 0U);
  EXPECT_EQ(left(2), 0U);
}

TEST_F(EvictorAfterErrors, GivesUpABackendAfterThreeAndGoesOnWithTheNext) {
  end_all(3);
  EXPECT_EQ(left(1), 10U);
  EXPECT_EQ(left(2), 0U);
}

}  // namespace
}  // namespace wsl4::flows
