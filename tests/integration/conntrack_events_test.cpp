// Events of real flows, filtered in the kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "netlink/conntrack/conntrack.h"
#include "tests/support/router_bed.h"

namespace wsl4::netlink::conntrack {
namespace {

using test::Connection;
using test::Namespace;
using test::RouterBed;

constexpr std::uint32_t kMarkMask = 0xff00;
constexpr std::chrono::seconds kDeadline{20};

/// Collects events until `done` says that the one waited for is there.
class Listener {
 public:
  Listener(const Namespace& where, const EventOptions& options)
      : source_(where.run([&] { return open_events(options); }).value()) {}

  template <class Done>
  bool wait_for(Done&& done) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < end) {
      pollfd poll_fd{source_->fd(), POLLIN, 0};
      ::poll(&poll_fd, 1, 100);
      const auto drained = source_->drain(1000, [&](const Event& event) { events.push_back(event); });
      if (!drained) return false;
      overruns += drained->overrun ? 1 : 0;
      if (done()) return true;
    }
    return false;
  }
  bool wait_for(EventKind kind, const Endpoint& client) {
    return wait_for([&] {
      return std::ranges::any_of(events,
                                 [&](const Event& event) { return event.kind == kind && event.flow.original.source == client; });
    });
  }

  std::vector<Event> events;
  int overruns = 0;
  EventSource& source() { return *source_; }

 private:
  std::unique_ptr<EventSource> source_;
};

void erase_all(const Namespace& where, std::uint32_t mark) {
  where.run([&] {
    auto conntrack = KernelConntrack::open().value();
    auto dump = conntrack->dump({0xffffffff, mark}).value();
    std::vector<Flow> flows;
    while (dump->step([&](const Flow& flow) { flows.push_back(flow); }).value()) {}
    ASSERT_EQ(conntrack->erase(flows).value(), flows.size());
  });
}

TEST(ConntrackEvents, TellBeginningClosingAndEnd) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  constexpr std::uint32_t kClosing = 0x800000;
  bed.a.must("nft -f -", R"(
table inet closing { chain forward { type filter hook forward priority 0;
  ct mark and 0xff00 != 0 tcp flags & (fin|rst) != 0 ct event set 0x94 ct mark set ct mark or 0x800000
 }
}
)");
  Listener listener(bed.a, {.mark_any = kMarkMask, .receive_buffer = 8U << 20});
  Endpoint client;
  {
    const Connection connection = bed.connect(bed.vip4);
    client = connection.client_end;
    ASSERT_TRUE(listener.wait_for([&] { return !listener.events.empty(); }));
    const Flow flow = listener.events[0].flow;
    EXPECT_EQ(listener.events[0].kind, EventKind::kUpdate);
    EXPECT_EQ(flow.original.source, client);
    EXPECT_EQ(flow.reply.destination.address, bed.snat4);
    EXPECT_EQ(flow.mark, RouterBed::kMark);
    EXPECT_EQ(flow.tcp_state, TcpState::kEstablished);
    EXPECT_NE(flow.status & status::kAssured, 0U);
    EXPECT_GT(flow.timeout.count(), 0);
    EXPECT_NE(flow.id, 0U);
  }
  ASSERT_TRUE(listener.wait_for([&] { return listener.events.size() >= 2; }));
  EXPECT_EQ(listener.events[1].flow.mark, RouterBed::kMark | kClosing);
  erase_all(bed.a, RouterBed::kMark | kClosing);
  ASSERT_TRUE(listener.wait_for(EventKind::kDestroy, client));
  EXPECT_EQ(listener.events.back().flow.id, listener.events[0].flow.id);
  EXPECT_EQ(listener.events.size(), 3U);  // and nothing between them
}

TEST(ConntrackEvents, NothingArrivesWhileNobodyListens) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  Listener listener(bed.a, {.mark_any = kMarkMask, .receive_buffer = 8U << 20});
  ASSERT_TRUE(listener.source().listen(false));
  const Connection unheard = bed.connect(bed.vip4);
  ASSERT_TRUE(listener.source().listen(true));
  const Connection heard = bed.connect(bed.vip6);
  ASSERT_TRUE(listener.wait_for(EventKind::kUpdate, heard.client_end));
  EXPECT_EQ(listener.events.size(), 1U);
  erase_all(bed.a, RouterBed::kMark);
  ASSERT_TRUE(listener.wait_for(EventKind::kDestroy, unheard.client_end)) << "its entry tells again";
}

TEST(ConntrackEvents, ForeignFlowsDoNotArrive) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  Listener listener(bed.a, {.mark_any = kMarkMask, .receive_buffer = 8U << 20});
  const Connection foreign = bed.connect(bed.other_vip4);
  erase_all(bed.a, 0);
  bed.exchange_datagram(bed.vip6);
  ASSERT_TRUE(listener.wait_for([&] { return !listener.events.empty(); }));
  erase_all(bed.a, RouterBed::kMark);
  const Connection last = bed.connect(bed.vip6);
  ASSERT_TRUE(listener.wait_for(EventKind::kUpdate, last.client_end));

  ASSERT_EQ(listener.events.size(), 3U);
  EXPECT_EQ(listener.events[0].kind, EventKind::kNew);
  EXPECT_EQ(listener.events[0].flow.original.protocol, Protocol::kUdp);
  EXPECT_EQ(listener.events[0].flow.status & status::kAssured, 0U);
  EXPECT_EQ(listener.events[1].kind, EventKind::kDestroy);
  EXPECT_EQ(listener.events[1].flow.original, listener.events[0].flow.original);
  EXPECT_EQ(listener.events[2].flow.original.protocol, Protocol::kTcp);
}

TEST(ConntrackEvents, WithoutAFilterAllArrive) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  Listener listener(bed.a, {.mark_any = 0, .receive_buffer = 8U << 20});
  bed.knock_unanswered(bed.vip4);
  erase_all(bed.a, RouterBed::kMark);
  const Connection foreign = bed.connect(bed.other_vip4);
  ASSERT_TRUE(listener.wait_for(EventKind::kUpdate, foreign.client_end));
  ASSERT_GE(listener.events.size(), 2U);
  EXPECT_EQ(listener.events[0].kind, EventKind::kDestroy);
  EXPECT_EQ(listener.events[0].flow.original.destination.port, 81);
}

// ---- many events -----------------------------------------------------------------------------------------------

std::vector<Flow> many_flows(std::size_t count) {
  std::vector<Flow> flows(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(1024 + i);
    flows[i].original = {{*IpAddress::parse("198.18.1.10"), port}, {*IpAddress::parse("198.18.1.100"), 80}, Protocol::kTcp};
    flows[i].reply = {{*IpAddress::parse("198.18.2.11"), 8080}, {*IpAddress::parse("198.18.2.101"), port}, Protocol::kTcp};
    flows[i].mark = RouterBed::kMark;
    flows[i].timeout = std::chrono::seconds{600};
  }
  return flows;
}

struct Events : testing::Test {
  Events() {
    space.must("sysctl -qw net.netfilter.nf_conntrack_events=1");
    space.must(
        "nft 'table inet n { chain p { type nat hook prerouting priority dstnat; }; chain q { type nat hook postrouting priority "
        "srcnat; }; }'");
  }
  void insert_and_erase(std::size_t count) {
    space.run([&] {
      auto conntrack = KernelConntrack::open().value();
      ASSERT_TRUE(conntrack->insert(many_flows(count)));
      ASSERT_EQ(conntrack->erase(many_flows(count)).value(), count);
    });
  }
  Namespace space{"events"};
};

TEST_F(Events, ABudgetIsKeptAndNothingIsLost) {
  Listener listener(space, {.mark_any = kMarkMask});
  insert_and_erase(1000);
  std::size_t seen = 0;
  for (const std::size_t budget : {1U, 100U, 500U}) {
    const auto drained = listener.source().drain(budget, [&](const Event&) { ++seen; });
    ASSERT_TRUE(drained);
    EXPECT_EQ(drained->events, budget);
    EXPECT_TRUE(drained->more);
  }
  ASSERT_TRUE(listener.wait_for([&] { return seen + listener.events.size() >= 2000; }));
  EXPECT_EQ(seen + listener.events.size(), 2000U);
  EXPECT_EQ(listener.overruns, 0);
  EXPECT_FALSE(listener.source().drain(10, [](const Event&) {})->more);
}

TEST_F(Events, AnOverrunIsToldOnceAndEndsAreSentAgain) {
  Listener listener(space, {.mark_any = kMarkMask, .receive_buffer = 16384});
  insert_and_erase(1000);
  const auto ends = [&] { return std::ranges::count(listener.events, EventKind::kDestroy, &Event::kind); };
  ASSERT_TRUE(listener.wait_for([&] { return ends() >= 1000; })) << ends();
  EXPECT_GE(listener.overruns, 1);
  EXPECT_LT(listener.events.size(), 2000U);
}

}  // namespace
}  // namespace wsl4::netlink::conntrack
