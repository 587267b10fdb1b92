#include "daemon/flows/collector.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <deque>

#include "daemon/flows/bridge.h"
#include "netlink/handle.h"
#include "tests/support/recording_prober.h"

namespace wsl4::flows {
namespace {

using namespace std::chrono_literals;
using netlink::Endpoint;
using netlink::Result;
using netlink::conntrack::Event;
using netlink::conntrack::EventKind;
using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

constexpr std::chrono::seconds kHourAndMargin = 4200s;
constexpr std::chrono::seconds kLongestTimer{2'147'483};  // of a kernel with 1000 ticks a second

const service::MarkLayout kCollectedMark;

Flow counted(std::uint16_t port, service::BackendId id = 1, std::chrono::seconds left = kHourAndMargin) {
  Flow flow;
  flow.original = {*Endpoint::parse("198.18.1.10:1"), *Endpoint::parse("198.18.1.100:443")};
  flow.reply = {*Endpoint::parse("198.18.2.11:80"), *Endpoint::parse("198.18.2.101:1")};
  flow.original.source.port = flow.reply.destination.port = port;
  flow.id = port;
  flow.status = netlink::conntrack::status::kAssured;
  flow.mark = kCollectedMark.to_mark(id);
  flow.tcp_state = TcpState::kEstablished;
  flow.timeout = left;
  return flow;
}

/// The kernel's table as a list; a dump shows what was there when it began, two entries a step.
class ScriptedConntrack final : public netlink::conntrack::Conntrack {
 public:
  std::vector<Flow> table;
  std::vector<Flow> erased;
  std::function<void()> during_dump = [] {};  // after each step

  Result<std::unique_ptr<netlink::conntrack::Dump>> dump(netlink::conntrack::MarkFilter) override {
    class Listing final : public netlink::conntrack::Dump {
     public:
      Listing(std::vector<Flow> flows, std::function<void()> after_step)
          : flows_(flows.begin(), flows.end()), after_step_(std::move(after_step)) {}
      Result<bool> step(const netlink::conntrack::FlowSink& sink) override {
        for (int count = 0; count < 2 && !flows_.empty(); ++count) {
          sink(flows_.front());
          flows_.pop_front();
        }
        after_step_();
        return !flows_.empty();
      }

     private:
      std::deque<Flow> flows_;
      std::function<void()> after_step_;
    };
    return std::make_unique<Listing>(table, during_dump);
  }
  Result<std::uint64_t> count() override { return table.size(); }
  Result<std::vector<std::optional<Flow>>> find(std::span<const Flow> flows) override {
    std::vector<std::optional<Flow>> found;
    for (const auto& wanted : flows) {
      const auto place = std::ranges::find(table, wanted.id, &Flow::id);
      found.push_back(place == table.end() ? std::nullopt : std::optional(*place));
    }
    return found;
  }
  Result<std::size_t> erase(std::span<const Flow> flows) override {
    erased.insert(erased.end(), flows.begin(), flows.end());
    return flows.size();
  }
  Result<std::size_t> erase_by_reply(std::span<const Flow>) override { return 0; }
  Result<std::vector<int>> insert(std::span<const Flow>) override { return std::vector<int>{}; }
  Result<std::vector<int>> set_timeouts(std::span<const Flow> flows) override {
    for (const auto& wanted : flows)
      std::ranges::find(table, wanted.id, &Flow::id)->timeout = std::min(wanted.timeout, kLongestTimer);
    return std::vector<int>(flows.size(), 0);
  }
  Result<std::vector<int>> set_closed(std::span<const Flow>, std::uint32_t) override { return std::vector<int>{}; }
  [[nodiscard]] std::vector<std::chrono::seconds> timers() const {
    std::vector<std::chrono::seconds> timers;
    for (const auto& flow : table) timers.push_back(flow.timeout);
    return timers;
  }
};

/// Events on demand.
class ScriptedEvents final : public netlink::conntrack::EventSource {
 public:
  struct Script {
    std::deque<Event> events;
    bool overrun = false, broken = false, listening = true;
    int drains = 0;
    netlink::Fd readable{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

    void add(EventKind kind, Flow flow) {
      events.push_back({kind, std::move(flow)});
      wake();
    }
    void lose() {
      overrun = true;
      wake();
    }
    void wake() const {
      const std::uint64_t one = 1;
      ASSERT_EQ(::write(readable.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    }
  };

  explicit ScriptedEvents(Script& script) : script_(script) {}
  [[nodiscard]] int fd() const override { return script_.readable.get(); }
  Result<netlink::conntrack::Drained> drain(std::size_t budget, const netlink::conntrack::EventSink& sink) override {
    ++script_.drains;
    if (script_.broken) return netlink::failure(EBADF, "events");
    netlink::conntrack::Drained drained;
    for (; drained.events < budget && !script_.events.empty(); ++drained.events) {
      sink(script_.events.front());
      script_.events.pop_front();
    }
    std::uint64_t count = 0;
    if (script_.events.empty() && ::read(script_.readable.get(), &count, sizeof count) < 0) drained.more = false;
    drained.overrun = std::exchange(script_.overrun, false);
    return drained;
  }
  Result<void> listen(bool on) override {
    script_.listening = on;
    return {};
  }

 private:
  Script& script_;
};

class RecordingObserver final : public FlowObserver {
 public:
  std::vector<std::string> told, waiting;

  void seen(const Flow&) override { waiting.emplace_back("seen"); }
  void ended(const Flow&) override { waiting.emplace_back("ended"); }
  void dump_began() override { waiting.emplace_back("began"); }
  void dumped(const Flow&) override { waiting.emplace_back("dumped"); }
  void dump_ended(bool whole) override { waiting.emplace_back(whole ? "whole" : "broken"); }
  void flush() override {
    told.insert(told.end(), waiting.begin(), waiting.end());
    waiting.clear();
  }
};

class CollectorTest : public testing::Test {
 protected:
  std::unique_ptr<Collector> make() {
    auto collector = std::make_unique<Collector>(
        io, kCollectedMark,
        Collector::Dependencies{conntrack, std::make_unique<ScriptedEvents>(events), ender, [] { return kHourAndMargin; },
                                [this] { ++overruns; }, [](const auto&) {}, &observer});
    if (keeps_history) {
      using TimePoint = TimeoutHistory::TimePoint;
      collector->set_timeout_history(TimeoutHistory({{kHourAndMargin, TimePoint{} - 1000h, TimePoint::max()}}));
    }
    return collector;
  }
  /// Runs what is due until `done`.
  void run_until(const std::function<bool()>& done) {
    while (!done()) io.run_one();
  }

  boost::asio::io_context io;
  ScriptedConntrack conntrack;
  ScriptedEvents::Script events;
  test::RecordingProber prober;
  FlowEnder ender{conntrack, prober};
  RecordingObserver observer;
  int overruns = 0;
  bool keeps_history = true;  // since long
};

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
  collector->put(counted(9));
  EXPECT_EQ(collector->counter().size(), 0U) << "the event tells";
  collector->listen(false);
  EXPECT_FALSE(events.listening);
  auto copy = counted(1);
  copy.id = 0;
  collector->put(copy);
  collector->put(counted(2));
  collector->erased(counted(2));
  EXPECT_EQ(collector->counter().backend(1).connections, 1U);
  conntrack.table = {counted(1), counted(3)};
  collector->listen(true);
  EXPECT_TRUE(events.listening);
  run_until([&] { return collector->stats().resyncs == 2; });
  EXPECT_EQ(collector->counter().backend(1).connections, 2U);
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
