#include "daemon/flows/injector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "tests/support/fake_conntrack.h"
#include "tests/support/recording_prober.h"

namespace wsl4::flows {
namespace {

using netlink::Endpoint;
using netlink::conntrack::Flow;
using Change = Injector::Change;
using Kind = Change::Kind;

Flow copied(unsigned number) {
  Flow flow;
  const auto port = static_cast<std::uint16_t>(number);
  flow.original = {{*netlink::IpAddress::parse("198.18.1.10"), port}, *Endpoint::parse("198.18.1.100:443")};
  flow.reply = {*Endpoint::parse("198.18.2.11:80"), {*netlink::IpAddress::parse("198.18.2.101"), port}};
  flow.timeout = std::chrono::seconds{600};
  flow.tcp_state = netlink::conntrack::TcpState::kEstablished;
  return flow;
}

class InjectorTest : public testing::Test {
 protected:
  /// Submits, and runs all that is due.
  void apply(std::uint64_t number, std::vector<Change> changes) {
    ASSERT_TRUE(injector.submit(number, std::move(changes)));
    io.restart();
    io.run();
  }
  static std::vector<Change> puts(unsigned from, unsigned to) {
    std::vector<Change> changes;
    for (unsigned i = from; i < to; ++i) changes.push_back({Kind::kPut, copied(i)});
    return changes;
  }

  boost::asio::io_context io;
  test::FakeConntrack conntrack;
  std::vector<Injector::Done> done;
  test::RecordingProber prober;
  ClientLimits limits{prober};
  Injector injector{io, conntrack, limits, service::MarkLayout(),
                    [this](Injector::Done batch) { done.push_back(std::move(batch)); }};
};

TEST_F(InjectorTest, AFlowThatCountsForALimitIsAnnouncedRightBeforeItsEntry) {
  service::ServiceState limited;
  limited.listen = {*Endpoint::parse("198.18.1.100:443"), *Endpoint::parse("[2001:db8:1::100]:443")};
  limited.client_connections = 2;
  limits.follow({{}, {{"chat", limited}}}, {});

  std::vector<std::pair<std::uint16_t, std::size_t>> announced;  // client's port, entries then
  prober.on_announcement = [&](netlink::Protocol protocol, const Endpoint& from, const Endpoint& to) {
    EXPECT_EQ(protocol, netlink::Protocol::kTcp);
    EXPECT_EQ(to, limited.listen[0]);
    announced.emplace_back(from.port, conntrack.size());
  };
  auto changes = puts(1, 7);
  for (const auto other : {1U, 2U, 4U}) changes[other].flow.original.destination.port = 444;
  apply(1, changes);
  EXPECT_EQ(conntrack.size(), 6U);
  EXPECT_TRUE(done.at(0).refused.empty());
  EXPECT_THAT(announced, testing::ElementsAre(testing::Pair(1, 0), testing::Pair(4, 3), testing::Pair(6, 5)));

  service::DesiredState state;
  state.services.emplace("chat", limited);
  limits.follow({{}, {{"chat", std::nullopt}}}, state);
  apply(2, puts(10, 20));
  EXPECT_EQ(announced.size(), 3U);
}

TEST_F(InjectorTest, PutsErasesAndSetsTimers) {
  apply(1, puts(1, 1001));
  EXPECT_EQ(conntrack.size(), 1000U);
  Flow longer = copied(5);
  longer.timeout = std::chrono::seconds{9000};
  apply(2, {{Kind::kErase, copied(3)}, {Kind::kErase, copied(2000)}, {Kind::kShorten, longer}});
  EXPECT_EQ(conntrack.size(), 999U);
  EXPECT_FALSE(conntrack.find(copied(3).original));
  EXPECT_EQ(conntrack.find(longer.original)->timeout, longer.timeout);
  EXPECT_EQ(conntrack.find(longer.original)->mark, copied(5).mark | service::MarkLayout().closing_bit());
  EXPECT_EQ(conntrack.find(longer.original)->tcp_state, netlink::conntrack::TcpState::kTimeWait);
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0].number, 1U);
  EXPECT_EQ(done[1].number, 2U);
  EXPECT_TRUE(done[1].known && done[1].refused.empty());
  EXPECT_EQ(injector.stats().inserted, 1000U);
  EXPECT_EQ(injector.stats().erased, 1U);
  EXPECT_EQ(injector.stats().shortened, 1U);
  EXPECT_EQ(injector.waiting(), 0U);
}

TEST_F(InjectorTest, TellsOfEachEntryThatHasComeClosedOrGone) {
  std::vector<std::uint16_t> put, erased;
  injector.tell({.put = [&](const Flow& flow) { put.push_back(flow.original.source.port); },
                 .erased = [&](const Flow& flow) { erased.push_back(flow.original.source.port); }});
  apply(1, puts(1, 3));
  Flow heir = copied(3);
  heir.reply = copied(1).reply;  // somebody makes room
  apply(2, {{Kind::kErase, copied(2)}, {Kind::kPut, heir}});
  conntrack.set_limit(conntrack.size());
  apply(3, puts(7, 8));  // no room
  apply(4, {{Kind::kShorten, heir}});
  EXPECT_EQ(put, (std::vector<std::uint16_t>{1, 2, 3, 3}));
  EXPECT_EQ(erased, std::vector<std::uint16_t>{2});
}

TEST_F(InjectorTest, AnOlderStateOfTheFlowMakesRoom) {
  apply(1, {{Kind::kPut, copied(1)}});
  Flow newer = copied(1);
  newer.reply.source = *Endpoint::parse("198.18.2.12:80");
  newer.mark = 0x4200;
  newer.id = 4711;  // the other kernel's
  apply(2, {{Kind::kPut, newer}});
  EXPECT_EQ(conntrack.size(), 1U);
  EXPECT_EQ(conntrack.find(newer.original)->reply, newer.reply);
  EXPECT_EQ(conntrack.find(newer.original)->mark, newer.mark);
  EXPECT_EQ(injector.stats().clashes, 1U);
}

TEST_F(InjectorTest, WherePresentFlowsAreSparedAPutThatMeetsOneIsRefused) {
  apply(1, {{Kind::kPut, copied(1)}});
  injector.spare_present(true);
  Flow other = copied(2);
  other.reply = copied(1).reply;
  apply(2, {{Kind::kPut, other}, {Kind::kPut, copied(3)}});
  EXPECT_TRUE(conntrack.find(copied(1).original));
  EXPECT_FALSE(conntrack.find(other.original));
  EXPECT_TRUE(conntrack.find(copied(3).original));
  ASSERT_EQ(done[1].refused.size(), 1U);
  EXPECT_EQ(done[1].refused[0].error, EEXIST);
}

TEST_F(InjectorTest, AFlowWhoseEndWasMissedMakesRoom) {
  apply(1, puts(1, 3));
  Flow heir = copied(3);
  heir.reply = copied(1).reply;
  heir.original = {{*netlink::IpAddress::parse("198.18.1.99"), 2}, copied(1).original.destination};
  Flow both = copied(2);
  both.reply = copied(1).reply;  // its own old entry and another's stand in the way
  apply(2, {{Kind::kPut, heir}});
  EXPECT_FALSE(conntrack.find(copied(1).original));
  EXPECT_TRUE(conntrack.find(heir.original));
  apply(3, {{Kind::kPut, both}});
  EXPECT_FALSE(conntrack.find(heir.original));
  EXPECT_EQ(conntrack.find(both.original)->reply, both.reply);
  EXPECT_TRUE(done.back().refused.empty());
}

TEST_F(InjectorTest, WithinABatchWhatGoesGoesFirst) {
  apply(1, puts(1, 2));
  Flow heir = copied(2);
  heir.reply = copied(1).reply;
  apply(2, {{Kind::kPut, heir}, {Kind::kErase, copied(1)}});
  EXPECT_TRUE(conntrack.find(heir.original));
  EXPECT_EQ(injector.stats().clashes, 0U);
}

TEST_F(InjectorTest, WhatTheKernelRefusesIsTold) {
  conntrack.set_limit(2);
  auto changes = puts(1, 5);
  changes.push_back({Kind::kShorten, copied(9)});
  apply(7, changes);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0].known);
  ASSERT_EQ(done[0].refused.size(), 3U);
  EXPECT_EQ(done[0].refused[0].flow.original, copied(3).original);
  EXPECT_EQ(done[0].refused[0].error, ENOMEM);
  EXPECT_EQ(done[0].refused[2].flow.original, copied(9).original) << "without an entry it is one to put";
  EXPECT_EQ(injector.stats().refused, 3U);
}

TEST_F(InjectorTest, LostAnswersMakeABatchUnknownAndNoOther) {
  conntrack.fail_next({EOVERFLOW, "insert conntrack entries"});
  ASSERT_TRUE(injector.submit(1, puts(1, 601)) && injector.submit(2, puts(601, 701)));
  io.run();
  ASSERT_EQ(done.size(), 2U);
  EXPECT_FALSE(done[0].known);
  EXPECT_TRUE(done[1].known);
  EXPECT_EQ(conntrack.size(), 100U);
  EXPECT_EQ(injector.waiting(), 0U);
  EXPECT_EQ(injector.stats().unknown, 1U);
}

TEST_F(InjectorTest, WorksInSlices) {
  Injector slicing(
      io, conntrack, limits, service::MarkLayout(), [](Injector::Done) {}, std::chrono::milliseconds{0});
  ASSERT_TRUE(slicing.submit(1, puts(1, 3 * Injector::kPiece + 1)));
  std::vector<std::size_t> seen;
  std::function<void()> look = [&] {
    seen.push_back(conntrack.size());
    if (slicing.waiting() > 0) boost::asio::post(io, look);
  };
  boost::asio::post(io, look);
  io.run();
  EXPECT_THAT(seen, testing::ElementsAre(Injector::kPiece, 2 * Injector::kPiece, 3 * Injector::kPiece));
}

TEST_F(InjectorTest, MoreThanItsLimitIsNotTaken) {
  std::vector<Change> many(Injector::kMaxWaiting, {Kind::kErase, copied(1)});
  ASSERT_TRUE(injector.submit(1, many));
  EXPECT_FALSE(injector.submit(2, {{Kind::kErase, copied(1)}}));
  io.run();
  EXPECT_TRUE(injector.submit(3, {{Kind::kErase, copied(1)}}));
}

TEST_F(InjectorTest, AnEmptyBatchIsDoneToo) {
  apply(1, {});
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0].known);
}

}  // namespace
}  // namespace wsl4::flows
