#include "daemon/flows/collector.h"

#include <gtest/gtest.h>

#include "tests/unit/flows/collector_bed.h"

namespace wsl4::flows {
namespace {

TEST_F(CollectorTest, StartsWithWhatTheKernelHolds) {
  conntrack.table = {counted(1), counted(2), counted(3, 2)};
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  EXPECT_EQ(collector->counter().backend(1).connections, 2U);
  EXPECT_EQ(collector->counter().backend(2).connections, 1U);
  EXPECT_EQ(collector->rate(1), 0) << "flows that were there before are no arrivals";
}

TEST_F(CollectorTest, TheObserverHearsOfADumpAsSoonAsItHasEnded) {
  conntrack.table = {counted(1), counted(2), counted(3, 0)};
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  EXPECT_EQ(observer.told, (std::vector<std::string>{"began", "dumped", "dumped", "whole"})) << "no event has to come before";
}

TEST_F(CollectorTest, FollowsEvents) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  for (std::uint16_t port = 1; port <= 5000; ++port) events.add(EventKind::kUpdate, counted(port));
  run_until([&] { return collector->counter().size() == 5000; });
  events.add(EventKind::kDestroy, counted(17));
  run_until([&] { return collector->counter().backend(1).connections == 4999; });
}

TEST_F(CollectorTest, WhileNothingIsHeardWhoeverChangesEntriesTells) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  collector->erased(counted(9));
  collector->listen(false);
  EXPECT_FALSE(events.listening);
  auto copy = counted(1);
  copy.id = 0;
  collector->put(copy);
  collector->put(counted(2));
  collector->erased(counted(2));
  EXPECT_EQ(collector->counter().backend(1).connections, 1U);
  EXPECT_EQ(collector->counter().backend(1).started, 0U) << "a copy has not begun here";
  conntrack.table = {counted(1), counted(3)};
  collector->listen(true);
  EXPECT_TRUE(events.listening);
  run_until([&] { return collector->stats().resyncs == 2; });
  EXPECT_EQ(collector->counter().backend(1).connections, 2U);
}

/// As on an active to which another one hands its flows.
TEST_F(CollectorTest, ACopyWhoseEventIsHeardHasNotBegunHere) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  auto copy = counted(1);
  copy.id = 0;
  collector->put(copy);
  events.add(EventKind::kUpdate, counted(1));
  events.add(EventKind::kUpdate, counted(2));
  run_until([&] { return collector->counter().size() == 2; });
  EXPECT_EQ(collector->counter().backend(1), (BackendCount{2, 2, 1}));
  events.add(EventKind::kDestroy, counted(1));
  run_until([&] { return collector->counter().size() == 1; });
}

TEST_F(CollectorTest, AnOverrunIsHealedByADump) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  events.add(EventKind::kUpdate, counted(1));
  run_until([&] { return collector->counter().size() == 1; });
  conntrack.table = {counted(2), counted(3)};  // 1 ended, 2 and 3 began, and nobody told
  events.lose();
  run_until([&] { return collector->stats().resyncs == 2; });
  EXPECT_EQ(collector->counter().backend(1).connections, 2U);
  EXPECT_EQ(collector->stats().overruns, 1U);
  EXPECT_EQ(overruns, 1);
}

TEST_F(CollectorTest, AnOverrunDuringADumpMeansAnotherDump) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  conntrack.table = {counted(1), counted(2), counted(3)};
  bool lost_again = false;
  conntrack.during_dump = [&] {
    if (!std::exchange(lost_again, true)) events.lose();
  };
  events.lose();
  run_until([&] { return collector->stats().resyncs == 3; });
  EXPECT_EQ(collector->stats().overruns, 2U);
  EXPECT_EQ(collector->counter().backend(1).connections, 3U);
}

/// Events are lost again when a look is due already, and both have waited for the thread.
TEST_F(CollectorTest, AThreadThatWasBusyBeginsOneDumpOnly) {
  for (std::uint16_t port = 1; port <= 6; ++port) conntrack.table.push_back(counted(port));
  int steps = 0;
  conntrack.during_dump = [&, begun = std::chrono::steady_clock::now()] {
    ++steps;
    if (steps == 1)  // what a dump takes is how long the next one waits, so that the events are due first
      while (std::chrono::steady_clock::now() < begun + 50ms) {}
  };
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  events.lose();
  run_until([&] { return collector->stats().overruns == 1; });
  for (const auto busy = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() < busy + 100ms;) {}
  events.lose();
  run_until([&] { return collector->stats().resyncs == 2; });
  EXPECT_EQ(collector->stats().overruns, 2U);
  EXPECT_EQ(steps, 2 * 3);
  EXPECT_EQ(collector->counter().size(), 6U);
}

TEST_F(CollectorTest, WhatNobodyTellsOfIsLookedFor) {
  const auto collector = make();
  collector->set_unseen_limit(3);
  conntrack.table = {counted(1), counted(2, 0), counted(3, 0)};  // others' flows are no reason
  ASSERT_TRUE(collector->start());
  for (std::uint16_t port = 11; port <= 14; ++port) {
    conntrack.table.push_back(counted(port));
    conntrack.table.back().status = 0;
    conntrack.table.back().tcp_state = TcpState::kSynSent;
  }
  run_until([&] { return collector->stats().resyncs == 2; });
  EXPECT_EQ(collector->counter().backend(1).half_open, 4U);
  EXPECT_EQ(collector->counter().backend(1).held, 5U);
}

TEST_F(CollectorTest, EntriesOfClosedFlowsAreTakenOutWherePortsRunShort) {
  auto closed = counted(1), other = counted(2, 2);
  for (auto* one : {&closed, &other}) {
    one->mark |= kCollectedMark.closing_bit();
    one->tcp_state = TcpState::kTimeWait;
  }
  conntrack.table = {counted(3), closed, other};
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  EXPECT_EQ(collector->counter().backend(1).held, 2U);
  collector->set_tight({1});
  run_until([&] { return collector->stats().reaped == 1; });
  ASSERT_EQ(conntrack.erased.size(), 1U);
  EXPECT_EQ(conntrack.erased[0].id, closed.id);
  EXPECT_EQ(collector->counter().backend(1).held, 1U);
  EXPECT_EQ(std::ranges::count(observer.told, "ended"), 1) << "at once: the event finds it forgotten";

  conntrack.table = {counted(3), counted(4)};
  auto begins_to_close = counted(4);
  begins_to_close.mark |= kCollectedMark.closing_bit();
  begins_to_close.tcp_state = TcpState::kFinWait;
  events.add(EventKind::kUpdate, begins_to_close);
  run_until([&] { return collector->counter().backend(1).held == 2; });
  conntrack.table[1].tcp_state = TcpState::kTimeWait;  // of which no event tells
  run_until([&] { return collector->stats().reaped == 2; });
  EXPECT_TRUE(prober.probes.empty());
}

TEST_F(CollectorTest, AFlowThatEndsDuringADumpStaysEnded) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  constexpr std::uint16_t kFlows = 10;
  for (std::uint16_t port = 1; port <= kFlows; ++port) conntrack.table.push_back(counted(port));
  bool told = false;
  conntrack.during_dump = [&] {
    if (!std::exchange(told, true)) events.add(EventKind::kDestroy, counted(kFlows));  // read already, and shown last
    run_until([&] { return events.events.empty(); });
  };
  events.lose();
  run_until([&] { return collector->stats().resyncs == 2; });
  EXPECT_TRUE(events.events.empty());
  EXPECT_EQ(collector->counter().size(), kFlows - 1U);
  EXPECT_EQ(std::ranges::count(observer.told, "dumped"), kFlows - 1) << "nor is it copied";
}

TEST_F(CollectorTest, TheEndOfAFlowThatAnotherHasFollowedIsNoEndOfThatOne) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  observer.told.clear();
  auto follower = counted(1);
  follower.id = 99;
  events.add(EventKind::kUpdate, counted(1));
  events.add(EventKind::kUpdate, follower);
  events.add(EventKind::kDestroy, counted(1));  // which was lost, and comes again
  events.add(EventKind::kUpdate, counted(2, 0));
  run_until([&] { return events.events.empty(); });
  EXPECT_EQ(collector->counter().size(), 1U);
  EXPECT_EQ(observer.told, (std::vector<std::string>{"seen", "seen"}));
  events.add(EventKind::kDestroy, follower);
  run_until([&] { return observer.told.size() == 3; });
  EXPECT_EQ(observer.told.back(), "ended");
}

TEST_F(CollectorTest, DumpsTakeNoMoreThanHalfOfTheTimeAndOverrunsAreToldSeldom) {
  using std::chrono::steady_clock;
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  conntrack.table = {counted(1), counted(2), counted(3)};  // two steps
  std::vector<steady_clock::time_point> steps;
  conntrack.during_dump = [&] {
    steps.push_back(steady_clock::now());
    while (steady_clock::now() < steps.back() + 20ms) {}
    events.lose();
  };
  events.lose();
  run_until([&] { return collector->stats().resyncs == 4; });
  ASSERT_EQ(steps.size(), 6U);
  for (std::size_t next = 2; next < steps.size(); next += 2)
    EXPECT_GE(steps[next] - steps[next - 1], steps[next - 1] - steps[next - 2]);
  EXPECT_GT(collector->stats().overruns, 1U);
  EXPECT_EQ(overruns, 1);
}

TEST_F(CollectorTest, ABrokenEventSocketIsNotAskedAgainAtOnce) {
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  events.broken = true;
  events.wake();
  run_until([&] { return events.drains == 1; });
  for (int turn = 0; turn < 1000; ++turn) io.poll();
  EXPECT_LT(events.drains, 100);
  events.broken = false;
  events.add(EventKind::kUpdate, counted(1));
  run_until([&] { return collector->counter().size() == 1; });
}

/// As on a node that was active, becomes standby, and active again.
TEST_F(CollectorTest, TimersAreHeldWhereThereAreCopiesOnlyAndRunWhereFlowsAreServed) {
  auto quiet = counted(1, 1, kHourAndMargin - 61s), closing = counted(2, 1, 100s), datagrams = counted(3, 1, 20s),
       half_open = counted(4, 1, 50s);
  closing.mark |= kCollectedMark.closing_bit();
  datagrams.original.protocol = datagrams.reply.protocol = netlink::Protocol::kUdp;
  datagrams.tcp_state = TcpState::kNone;
  half_open.tcp_state = TcpState::kSynSent;
  datagrams.status = half_open.status = 0;
  conntrack.table = {quiet, closing, datagrams, half_open, counted(5, 0, 50s), counted(6, 1, kCopyTimeout - 5s)};
  const auto before = conntrack.timers();
  const auto collector = make();
  collector->set_idle_timeout(1, 60s);
  collector->set_timers(Collector::Timers::kLeave);
  ASSERT_TRUE(collector->start());
  EXPECT_EQ(conntrack.timers(), before) << "no role is known yet";

  collector->set_timers(Collector::Timers::kHold);
  collector->look_soon();
  run_until([&] { return collector->stats().resyncs == 2; });
  const std::vector held{kCopyTimeout, 100s, kCopyTimeout, 50s, 50s, kCopyTimeout - 5s};
  EXPECT_EQ(conntrack.timers(), held);
  conntrack.table[0].timeout = kHourAndMargin;  // a packet that was under way still
  run_until([&] { return collector->stats().resyncs == 3; });
  EXPECT_EQ(conntrack.timers(), held);
  EXPECT_TRUE(conntrack.erased.empty());
  EXPECT_TRUE(prober.probes.empty());

  collector->set_timers(Collector::Timers::kRun);
  collector->look_soon();
  run_until([&] { return collector->stats().resyncs == 4; });
  EXPECT_EQ(conntrack.timers(), (std::vector{kHourAndMargin, 100s, kUdpStreamTimeout, 50s, 50s, kHourAndMargin}));
  EXPECT_TRUE(conntrack.erased.empty()) << "the clock of what was held begins anew";
}

TEST_F(CollectorTest, TimersOfWhichNothingIsKnownBeginAnew) {
  keeps_history = false;
  conntrack.table = {counted(1, 1, kHourAndMargin - 61s), counted(2, 1, kHourAndMargin), counted(3, 1, 87'000s),
                     counted(4, 1, 300s)};
  conntrack.table[3].timeout = kUnacknowledgedTimeout;
  const auto collector = make();
  collector->set_idle_timeout(1, 60s);
  ASSERT_TRUE(collector->start());
  EXPECT_EQ(conntrack.timers(), (std::vector{kHourAndMargin, kHourAndMargin, kHourAndMargin, kUnacknowledgedTimeout}));
  EXPECT_TRUE(conntrack.erased.empty());
}

TEST_F(CollectorTest, IdleFlowsEndAndBothEndsAreAsked) {
  conntrack.table = {counted(1, 1, kHourAndMargin - 61s), counted(2, 1, kHourAndMargin - 59s), counted(3, 2, kHourAndMargin - 61s)};
  const auto collector = make();
  collector->set_idle_timeout(1, 60s);
  ASSERT_TRUE(collector->start());
  ASSERT_EQ(conntrack.erased.size(), 1U);
  EXPECT_EQ(conntrack.erased[0].id, 1U);
  EXPECT_EQ(collector->counter().backend(1).connections, 1U);
  EXPECT_EQ(observer.told, (std::vector<std::string>{"began", "dumped", "dumped", "ended", "dumped", "whole"}));
  EXPECT_EQ(collector->stats().idle_ended, 1U);
  ASSERT_EQ(prober.probes.size(), 2U);
  EXPECT_EQ(prober.probes[0], std::pair(*Endpoint::parse("198.18.1.100:443"), *Endpoint::parse("198.18.1.10:1")));
  EXPECT_EQ(prober.probes[1], std::pair(*Endpoint::parse("198.18.2.101:1"), *Endpoint::parse("198.18.2.11:80")));
}

/// At a start the table is read before any timeout is known; a timer of the test tells the next look from that of no timeout.
TEST_F(CollectorTest, AShorterIdleTimeoutBringsTheNextLookForward) {
  conntrack.table = {counted(1, 1, kHourAndMargin - 61s), counted(2, 2, kHourAndMargin - 61s)};
  const auto collector = make();
  boost::asio::steady_timer late(io, look_interval(0ms, {}) - 1s);
  bool is_late = false;
  late.async_wait([&](const auto&) { is_late = true; });
  ASSERT_TRUE(collector->start());
  collector->set_idle_timeout(1, 2s);
  collector->set_idle_timeout(2, 1h);
  run_until([&] { return is_late || collector->stats().resyncs == 2; });
  EXPECT_FALSE(is_late);
  ASSERT_EQ(conntrack.erased.size(), 1U);
  EXPECT_EQ(conntrack.erased[0].id, 1U);
}

}  // namespace
}  // namespace wsl4::flows
