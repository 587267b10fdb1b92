#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/unit/flows/some_flows.h"

namespace wsl4::flows {
namespace {

using netlink::Endpoint;
using netlink::IpAddress;

const BackendEndpoint kEndpoint{*Endpoint::parse("198.18.2.11:8888")};
const IpAddress kSnat = *IpAddress::parse("198.18.2.101");

using Held = std::map<IpAddress, std::uint64_t>;
const IpAddress kOtherSnat = *IpAddress::parse("198.18.2.102");

TEST(FlowCounterPorts, ServicesThatShareABackendShareItsPorts) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.see(half_open(flow(2, 8)));
  counter.see(closing(flow(3, 9)));
  auto uses = counter.port_use();
  ASSERT_EQ(uses.size(), 1U);
  std::ranges::sort(uses[0].numbers);
  EXPECT_EQ(uses[0], (PortUse{kEndpoint, {7, 8, 9}, {{kSnat, 3}}}));
  EXPECT_EQ(counter.pairs().size(), 3U);
}

TEST(FlowCounterPorts, ProtocolsHaveTheirOwnPorts) {
  FlowCounter counter(kMark);
  auto udp = flow(2, 8);
  udp.original.protocol = udp.reply.protocol = netlink::Protocol::kUdp;
  counter.see(flow(1, 7));
  counter.see(udp);
  EXPECT_EQ(counter.port_use().size(), 2U);
}

TEST(FlowCounterPorts, FullPairsAreTold) {
  FlowCounter counter(kMark);
  for (std::uint16_t port = 1; port <= 100; ++port) counter.see(flow(port, 1 + port % 4U, port <= 60 ? 1 : 2));
  EXPECT_EQ(counter.port_use(60).at(0).held, (Held{{kSnat, 60}}));
  EXPECT_EQ(counter.port_use(40).at(0).held, (Held{{kSnat, 60}, {kOtherSnat, 40}}));
  EXPECT_TRUE(counter.port_use(61).empty());
}

TEST(FlowCounterPorts, InModeDnatNoPortOfAPoolIsHeld) {
  FlowCounter counter(kMark);
  auto direct = flow(1, 7);
  direct.reply.destination = direct.original.source;
  counter.see(direct);
  EXPECT_TRUE(counter.port_use().empty());
}

TEST(FlowCounterPorts, ANumberMayStandForAnotherBackendOnceNoFlowBearsIt) {
  FlowCounter counter(kMark);
  auto other = flow(2, 7);
  other.reply.source = *Endpoint::parse("198.18.2.12:8888");
  counter.watch_blocks(kEndpoint);
  counter.see(flow(1, 7));
  counter.forget(flow(1, 7));
  counter.see(other);
  EXPECT_EQ(counter.port_use(), (std::vector{PortUse{BackendEndpoint{other.reply.source}, {7}, {{kSnat, 1}}}}));
  EXPECT_EQ(counter.turnover(kEndpoint), (Turnover{1, 1}));
}

TEST(FlowCounterPorts, BlocksAreCountedWhileTheyAreWatched) {
  FlowCounter counter(kMark);
  counter.see(flow(127, 7));
  counter.see(flow(128, 8));
  EXPECT_TRUE(counter.blocks(kEndpoint, kSnat).empty());
  counter.watch_blocks(kEndpoint);
  counter.see(flow(255, 7));
  counter.see(flow(65535, 7, 2));
  ASSERT_EQ(counter.blocks(kEndpoint, kSnat).size(), 512U);
  EXPECT_EQ(counter.blocks(kEndpoint, kSnat)[0], 1);
  EXPECT_EQ(counter.blocks(kEndpoint, kSnat)[1], 2);
  EXPECT_EQ(counter.blocks(kEndpoint, *IpAddress::parse("198.18.2.102"))[511], 1);
  counter.forget(flow(128, 8));
  EXPECT_EQ(counter.blocks(kEndpoint, kSnat)[1], 1);
  counter.unwatch_blocks(kEndpoint);
  EXPECT_TRUE(counter.blocks(kEndpoint, kSnat).empty());
  counter.see(flow(5, 7));
}

TEST(FlowCounterPorts, TurnoverIsOfFlowsNotOfTheirPhases) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.watch_blocks(kEndpoint);
  EXPECT_EQ(counter.turnover(kEndpoint), (Turnover{0, 0}));
  counter.see(half_open(flow(2, 8)));
  counter.see(flow(2, 8));
  counter.see(closing(flow(2, 8)));
  EXPECT_EQ(counter.turnover(kEndpoint), (Turnover{1, 0}));
  counter.forget(flow(2, 8));
  counter.begin_resync();
  counter.end_resync();
  EXPECT_EQ(counter.turnover(kEndpoint), (Turnover{1, 2}));
}

/// Blocks kept up from event to event are those that one walk over the flows finds.
TEST(FlowCounterPorts, BlocksAlwaysAddUp) {
  constexpr unsigned seed = 20261125;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 generator(seed);
  const auto random = [&generator](unsigned below) { return static_cast<unsigned>(generator() % below); };
  FlowCounter counter(kMark);
  counter.watch_blocks(kEndpoint);
  const auto all_blocks = [&counter] {
    std::vector<std::uint64_t> all;
    for (int snat = 1; snat <= 3; ++snat) {
      const auto blocks = counter.blocks(kEndpoint, *IpAddress::parse("198.18.2.10" + std::to_string(snat)));
      all.insert(all.end(), blocks.begin(), blocks.end());
    }
    return all;
  };
  for (int step = 0; step < 100'000; ++step) {
    auto any = flow(static_cast<std::uint16_t>(random(500)), 1 + random(5), static_cast<int>(1 + random(3)));
    any.reply.destination.port = static_cast<std::uint16_t>(1 + random(65535));
    any.id = random(3);
    const auto what = random(8);
    if (what < 5) counter.see(what < 2 ? half_open(any) : what < 3 ? closing(any) : any);
    if (what >= 5) counter.forget(any);
    if (random(3000) == 0) counter.begin_resync();
    if (random(3000) == 0) counter.end_resync();
  }
  const auto kept = all_blocks();
  const auto [begun, ended] = counter.turnover(kEndpoint);
  EXPECT_EQ(begun - ended, counter.size());
  EXPECT_EQ(std::accumulate(kept.begin(), kept.end(), std::uint64_t{0}), counter.size());
  EXPECT_GT(counter.size(), 0U);
  counter.unwatch_blocks(kEndpoint);
  counter.watch_blocks(kEndpoint);
  EXPECT_EQ(all_blocks(), kept);
}

}  // namespace
}  // namespace wsl4::flows
