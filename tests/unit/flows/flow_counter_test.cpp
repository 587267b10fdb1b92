#include "daemon/flows/flow_counter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/flows/some_flows.h"

namespace wsl4::flows {
namespace {

using netlink::IpAddress;

TEST(FlowCounter, CountsFromTheFirstSightToDestroy) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.see(flow(2, 7, 2));
  counter.see(flow(3, 8));
  EXPECT_EQ(counter.backend(7), (BackendCount{2, 2, 2}));
  EXPECT_EQ(counter.backend(8), (BackendCount{1, 1, 1}));
  counter.forget(flow(1, 7));
  EXPECT_EQ(counter.backend(7), (BackendCount{1, 1, 2}));
  EXPECT_EQ(counter.size(), 2U);
}

TEST(FlowCounter, AClosingFlowHoldsItsPortButIsNoConnection) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.see(closing(flow(1, 7)));
  EXPECT_EQ(counter.backend(7), (BackendCount{0, 1, 1}));
  const auto pairs = counter.pairs();
  ASSERT_EQ(pairs.size(), 1U);
  EXPECT_EQ(pairs[0].connections, 0U);
  EXPECT_EQ(pairs[0].held, 1U);
  EXPECT_EQ(pairs[0].endpoint, (BackendEndpoint{flow(1, 7).reply.source, netlink::Protocol::kTcp}));
}

TEST(FlowCounter, ALateSightDoesNotReviveAClosedFlow) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.see(closing(flow(1, 7)));
  counter.see(flow(1, 7));  // a dump's buffer, filled before the FIN
  EXPECT_EQ(counter.backend(7), (BackendCount{0, 1, 1}));
}

TEST(FlowCounter, HalfOpenBecomesEstablishedOnce) {
  FlowCounter counter(kMark);
  counter.see(half_open(flow(1, 7)));
  EXPECT_EQ(counter.backend(7), (BackendCount{.connections = 0, .held = 1, .started = 0, .half_open = 1}));
  counter.see(flow(1, 7));
  counter.see(flow(1, 7));
  EXPECT_EQ(counter.backend(7), (BackendCount{.connections = 1, .held = 1, .started = 1, .half_open = 0}));
}

TEST(FlowCounter, ALateDestroyLeavesTheNextFlowWithTheSameTuple) {
  FlowCounter counter(kMark);
  const auto old = closing(flow(1, 7));
  auto next = flow(1, 8);
  next.id = 4711;
  counter.see(old);
  counter.see(next);
  counter.forget(old);
  EXPECT_EQ(counter.backend(7), (BackendCount{0, 0, 0}));
  EXPECT_EQ(counter.backend(8), (BackendCount{1, 1, 1}));
}

/// As a standby's injector tells of them.
TEST(FlowCounter, AFlowWithoutAnIdIsWhicheverHasItsTuple) {
  FlowCounter counter(kMark);
  auto copy = flow(1, 7);
  copy.id = 0;
  counter.see(copy);
  counter.see(flow(1, 7));  // a dump tells the id
  EXPECT_EQ(counter.backend(7), (BackendCount{1, 1, 1}));
  auto other = flow(1, 7);
  other.id = 4711;
  counter.forget(other);
  EXPECT_EQ(counter.size(), 1U) << "known by its id from then on";
  counter.see(copy);
  counter.forget(copy);
  EXPECT_EQ(counter.size(), 0U);
}

TEST(FlowCounter, ACopyThatIsTakenOutDuringADumpStaysOut) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.begin_resync();
  auto gone = flow(1, 7);
  gone.id = 0;
  counter.forget(gone);
  counter.see_in_dump(flow(1, 7));
  counter.end_resync();
  EXPECT_EQ(counter.size(), 0U);
}

TEST(FlowCounter, FlowsOfOthersAreIgnored) {
  FlowCounter counter(kMark);
  auto foreign = flow(1, 7);
  foreign.mark = 0xff0000ff;  // bits outside the mask
  counter.see(foreign);
  EXPECT_EQ(counter.size(), 0U);
}

TEST(FlowCounter, UdpEntriesCountFromTheirFirstPacket) {
  FlowCounter counter(kMark);
  auto udp = half_open(flow(1, 7));
  udp.original.protocol = udp.reply.protocol = netlink::Protocol::kUdp;
  udp.tcp_state = TcpState::kNone;
  counter.see(udp);
  EXPECT_EQ(counter.backend(7), (BackendCount{1, 1, 1}));
}

TEST(FlowCounter, InModeDnatThePairHasNoPoolAddress) {
  FlowCounter counter(kMark);
  auto direct = flow(1, 7);
  direct.reply.destination = direct.original.source;
  counter.see(direct);
  ASSERT_EQ(counter.pairs().size(), 1U);
  EXPECT_TRUE(counter.pairs()[0].snat.is_unspecified());
  EXPECT_EQ(counter.held_by_address(direct.original.source.address), 0U);
  EXPECT_EQ(counter.held_by_address(direct.original.destination.address), 1U);
}

TEST(FlowCounter, AResyncForgetsWhatEndedWithoutAnEvent) {
  FlowCounter counter(kMark);
  for (std::uint16_t port = 1; port <= 10; ++port) counter.see(flow(port, 7));
  counter.begin_resync();
  for (std::uint16_t port = 1; port <= 4; ++port) counter.see_in_dump(flow(port, 7));
  counter.see(flow(20, 7));  // an event meanwhile: the dump had passed its place
  EXPECT_EQ(counter.end_resync(), 6U);
  EXPECT_EQ(counter.backend(7), (BackendCount{5, 5, 11}));
}

TEST(FlowCounter, ADumpThatReadAheadRevivesNothing) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.begin_resync();
  counter.forget(flow(1, 7));
  counter.forget(flow(2, 7));  // never seen alive
  counter.see_in_dump(flow(1, 7));
  counter.see_in_dump(flow(2, 7));
  EXPECT_EQ(counter.backend(7).held, 0U);
  counter.see(flow(1, 7));  // the kernel made it anew, and says so
  counter.see_in_dump(flow(1, 7));
  counter.end_resync();
  EXPECT_EQ(counter.backend(7).held, 1U);
  counter.begin_resync();
  counter.see_in_dump(flow(2, 7));
  EXPECT_EQ(counter.backend(7).held, 2U) << "what ended before the last dump is no reason";
}

TEST(FlowCounter, ADumpThatReadAheadDoesNotReviveACopyThatWasErased) {
  FlowCounter counter(kMark);
  counter.see(flow(1, 7));
  counter.begin_resync();
  auto erased = flow(1, 7);  // as the peer names it
  erased.id = erased.mark = 0;
  counter.forget(erased);
  counter.see_in_dump(flow(1, 7));
  EXPECT_EQ(counter.backend(7).held, 0U);
  counter.see(flow(1, 7));
  counter.see_in_dump(flow(1, 7));
  counter.end_resync();
  EXPECT_EQ(counter.backend(7).held, 1U) << "one that has come since";
}

/// Whatever comes in whatever order, the counts are those of the flows that are known.
TEST(FlowCounter, CountsAlwaysAddUp) {
  std::mt19937 generator(20261124);
  const auto random = [&generator] { return static_cast<std::uint32_t>(generator()); };
  FlowCounter counter(kMark);
  for (int step = 0; step < 200'000; ++step) {
    auto any = flow(static_cast<std::uint16_t>(random() % 500), 1 + random() % 5, static_cast<int>(1 + random() % 3));
    any.id = random() % 3;
    switch (random() % 6) {
      case 0:
        counter.see(half_open(any));
        break;
      case 1:
        counter.see(closing(any));
        break;
      case 2:
        counter.forget(any);
        break;
      case 3:
        if (random() % 1000 == 0)
          counter.begin_resync();
        else if (random() % 1000 == 0)
          counter.end_resync();
        break;
      case 4:
        counter.see_in_dump(any);
        break;
      default:
        counter.see(any);
    }
  }
  std::uint64_t held = 0, connections = 0, held_in_pairs = 0, connections_in_pairs = 0;
  for (service::BackendId id = 1; id <= 5; ++id) {
    held += counter.backend(id).held;
    connections += counter.backend(id).connections;
  }
  for (const auto& pair : counter.pairs()) {
    EXPECT_GT(pair.held, 0U);
    EXPECT_LE(pair.connections, pair.held);
    held_in_pairs += pair.held;
    connections_in_pairs += pair.connections;
  }
  EXPECT_EQ(held, counter.size());
  EXPECT_EQ(held_in_pairs, counter.size());
  EXPECT_EQ(connections_in_pairs, connections);
  EXPECT_GT(connections, 0U);
  EXPECT_EQ(counter.held_by_address(*IpAddress::parse("198.18.1.100")), counter.size());

  counter.begin_resync();
  counter.end_resync();
  EXPECT_EQ(counter.size(), 0U);
  EXPECT_TRUE(counter.live_backends().empty());
  EXPECT_TRUE(counter.pairs().empty());
}

}  // namespace
}  // namespace wsl4::flows
