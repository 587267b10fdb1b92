#include "daemon/balance/service_dealer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/desired_states.h"

namespace wsl4::balance {
namespace {

using namespace std::chrono_literals;
using config::Scheduler;
using netlink::Family;
using testing::Contains;
using testing::Each;
using testing::Not;
using testing::SizeIs;

constexpr ServiceDealer::TimePoint kBegin{1h};
constexpr service::WallTime kWall{1000h};

class ServiceDealerTest : public testing::Test {
 protected:
  ServiceDealerTest() {
    service.slow_start = 0s;
    counts[1] = counts[2] = {};
  }

  void want() { dealer.want(service, live(), now); }
  service::ServiceState deal() { return dealer.deal(live(), now, kWall); }
  LiveCounts live() {
    return [this](service::BackendId id) { return counts[id]; };
  }
  /// New established flows.
  void arrive(service::BackendId id, std::uint64_t flows) {
    counts[id].connections += flows;
    counts[id].started += flows;
    dealer.observe(live(), now);
  }

  service::ServiceState service = test::make_service("chat", {"198.18.0.10:443"}, {"198.18.2.1:80", "198.18.2.2:80"}, 1);
  std::map<service::BackendId, LiveCount> counts;
  ServiceDealer::TimePoint now = kBegin;
  ServiceDealer dealer;
};

TEST_F(ServiceDealerTest, SpreadsEvenlyAtFirstAndThenByCounts) {
  want();
  const auto even = deal();
  ASSERT_THAT(even.dealt.at(Family::kIpv4), SizeIs(32));
  EXPECT_EQ(even.share_of(even.backends[0]), 0.5);
  counts[1].connections = 10;
  dealer.observe(live(), now);
  EXPECT_THAT(deal().dealt.at(Family::kIpv4), Each(1U)) << "only the emptier one";
}

TEST_F(ServiceDealerTest, WhatIsNotLeastConnectionsFollowsItsWeights) {
  for (const auto scheduler : {Scheduler::kRoundRobin, Scheduler::kRandom, Scheduler::kSourceHash}) {
    service.scheduler = scheduler;
    counts[1].connections = 1000;
    want();
    EXPECT_EQ(deal(), service);
  }
}

TEST_F(ServiceDealerTest, ANewBackendStartsSlowlyByWeightsToo) {
  for (const auto scheduler : {Scheduler::kRoundRobin, Scheduler::kRandom, Scheduler::kSourceHash}) {
    service.scheduler = scheduler;
    service.slow_start = 100s;
    service.backends[1].serving_since = kWall;
    want();
    const auto weight_after = [&](std::chrono::seconds age) {
      return dealer.deal(live(), now, kWall + age).backends[1].share_weight;
    };
    EXPECT_EQ(weight_after(0s), 10);
    EXPECT_TRUE(dealer.due()) << "it goes on by itself";
    EXPECT_EQ(weight_after(9s), 10) << "in steps";
    EXPECT_EQ(weight_after(10s), 19);
    EXPECT_EQ(weight_after(99s), 91);
    EXPECT_EQ(weight_after(100s), 100);
    EXPECT_EQ(dealer.due(), std::nullopt);
    EXPECT_EQ(dealer.deal(live(), now, kWall).backends[0].share_weight, 100) << "who has served for long has its weight";
  }
}

TEST_F(ServiceDealerTest, NothingIsDueUntilCountsChange) {
  want();
  deal();
  EXPECT_EQ(dealer.due(), std::nullopt);
  arrive(1, 1);
  ASSERT_TRUE(dealer.due());
  EXPECT_EQ(*dealer.due(), kBegin + DealClock::kInterval);
}

TEST_F(ServiceDealerTest, AFullBackendGetsNothingWhateverTheScheduler) {
  for (const auto scheduler : {Scheduler::kLeastConnections, Scheduler::kRoundRobin}) {
    service.scheduler = scheduler;
    service.backends[0].max_connections = 100;
    counts[1].connections = 100;
    counts[2].connections = 5000;
    want();
    const auto dealt = deal();
    EXPECT_EQ(dealt.share_of(dealt.backends[0]), 0);
    EXPECT_EQ(dealt.share_of(dealt.backends[1]), 1);
  }
}

TEST_F(ServiceDealerTest, AllFullIsToldFromNobodyThere) {
  for (const auto scheduler : {Scheduler::kLeastConnections, Scheduler::kRandom}) {
    service.scheduler = scheduler;
    for (auto& backend : service.backends) {
      backend.max_connections = 7;
      counts[backend.id].connections = 7;
    }
    want();
    EXPECT_THAT(deal().full, testing::ElementsAre(Family::kIpv4));
    auto resting = service;
    for (auto& backend : resting.backends) backend.share_weight = 0;
    dealer.want(resting, live(), now);
    EXPECT_THAT(deal().full, testing::IsEmpty());
  }
}

TEST_F(ServiceDealerTest, OneFamilyMayBeFullAndTheOtherWithoutABackend) {
  service = test::make_service("chat", {"198.18.0.10:443", "[2001:db8::10]:443"}, {"198.18.2.1:80", "[2001:db8:2::1]:80"}, 1);
  service.backends[0].max_connections = counts[1].connections = 7;
  service.backends[1].share_weight = 0;
  for (const auto scheduler : {Scheduler::kLeastConnections, Scheduler::kRandom}) {
    service.scheduler = scheduler;
    want();
    EXPECT_THAT(deal().full, testing::ElementsAre(Family::kIpv4));
  }
}

TEST_F(ServiceDealerTest, NoFreePortIsFullToo) {
  counts[1].free_ports = 0;
  want();
  EXPECT_THAT(deal().dealt.at(Family::kIpv4), Not(Contains(0U)));
}

TEST_F(ServiceDealerTest, ByWeightsABackendComesBackOnlyWithSomeRoom) {
  service.scheduler = Scheduler::kRoundRobin;
  service.backends[0].max_connections = 1000;
  counts[1].connections = 1000;
  want();
  EXPECT_EQ(deal().backends[0].share_weight, 0);
  counts[1].connections = 995;
  dealer.observe(live(), now);
  EXPECT_EQ(deal().backends[0].share_weight, 0) << "one flow that ends must not change the rules each time";
  counts[1].connections = 980;
  dealer.observe(live(), now);
  EXPECT_EQ(deal().backends[0].share_weight, 100);
}

TEST_F(ServiceDealerTest, TheLessIsFreeTheSoonerItIsDealtAgain) {
  service.backends[0].max_connections = 1000;
  counts[1].connections = 900;
  counts[2].connections = 900;
  want();
  deal();
  arrive(1, 11);  // more than a tenth of its room
  ASSERT_TRUE(dealer.due());
  EXPECT_EQ(*dealer.due(), kBegin + DealClock::kShortestInterval);
}

TEST_F(ServiceDealerTest, ANewcomerStartsSlowlyAndIsDealtAgainAsItGrows) {
  service.slow_start = 100s;
  service.backends[0].serving_since = kWall - 50s;
  counts[2].connections = 20000;
  want();
  arrive(2, 500);
  const auto half = deal();
  EXPECT_NEAR(half.share_of(half.backends[0]), 0.275, 0.02) << "half way between a tenth of its fair half and all of it";
  EXPECT_TRUE(dealer.due()) << "its cap grows";
  service.backends[0].serving_since = kWall - 101s;
  want();
  const auto grown = deal();
  EXPECT_EQ(grown.share_of(grown.backends[0]), 1);
  EXPECT_FALSE(dealer.due());
}

TEST_F(ServiceDealerTest, FamiliesAreDealtOnTheirOwn) {
  service = test::make_service("chat", {"198.18.0.10:443", "[2001:db8::10]:443"}, {"198.18.2.1:80", "[2001:db8:2::1]:80"}, 1);
  service.backends[1].max_connections = 10;
  counts[2].connections = 10;
  want();
  const auto dealt = deal();
  EXPECT_THAT(dealt.dealt.at(Family::kIpv4), Each(0U));
  EXPECT_THAT(dealt.dealt.at(Family::kIpv6), Each(kNoBackend));
}

}  // namespace
}  // namespace wsl4::balance
