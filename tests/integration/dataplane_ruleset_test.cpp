// Plans in the real kernel: what we encode is what nft makes of the same text, what we read back is what we planned, and one plan
// becomes another in one transaction.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "daemon/dataplane/diff.h"
#include "netlink/nft/nftables.h"
#include "tests/support/desired_states.h"
#include "tests/support/eventually.h"
#include "tests/support/namespace.h"
#include "tests/support/nft_listing.h"

namespace wsl4::dataplane {
namespace {

using netlink::nft::KernelNftables;
using netlink::nft::Table;
using netlink::nft::Transaction;
using test::nft_listing;

constexpr unsigned kSteps = 40;

class DataplaneRuleset : public testing::Test {
 protected:
  DataplaneRuleset() : kernel_(ours_.run([] { return KernelNftables::open().value(); })) {}

  void commit(const Transaction& transaction) {
    const auto committed = kernel_->commit(transaction);
    ASSERT_TRUE(committed) << committed.error().message();
  }

  Table table() { return kernel_->read_table(kTableName).value().value(); }

  const test::Namespace ours_{"plan"}, theirs_{"plan"};
  std::unique_ptr<KernelNftables> kernel_;
};

service::DesiredState all_kinds() {
  auto state = test::two_services();
  state.double_dnat = true;
  state.services.at("dns").scheduler = config::Scheduler::kRandom;
  state.services.at("chat").backends[0].name = "198.18.2.1:8888";
  state.services["idle"] = test::make_service("idle", {"198.18.0.12:80"}, {});
  return state;
}

/// nft 1.0.6 cannot load IPv6 blocks (SnatFromBlocks).
service::DesiredState loadable(service::DesiredState state) {
  for (auto& [name, service] : state.services)
    for (const auto& backend : service.backends)
      if (backend.address.address.family() == netlink::Family::kIpv6) service.blocks.erase(backend.id);
  return state;
}

service::DesiredState with_blocks() {
  auto state = test::two_services();
  auto& blocks = state.services.at("chat").blocks;
  for (std::uint16_t number = 0; number < 512; ++number) {
    blocks[1].push_back({test::address("198.18.1.2"), number});
    blocks[3].push_back({test::address("2001:db8:1::1"), number});
  }
  return state;
}

TEST_F(DataplaneRuleset, IsReadBackAsPlanned) {
  const auto want = plan(all_kinds());
  commit(netlink::nft::build_table(want));
  EXPECT_EQ(table(), want);
}

TEST_F(DataplaneRuleset, IsWhatNftMakesOfItsText) {
  const auto build = netlink::nft::build_table(plan(all_kinds()));
  commit(build);
  theirs_.must("nft -f -", build.to_text());
  EXPECT_EQ(nft_listing(ours_), nft_listing(theirs_));
}

TEST_F(DataplaneRuleset, SourceHashIsWhatNftMakesOfItsText) {
  service::DesiredState state;
  state.services["hash"] =
      test::make_service("hash", {"198.18.0.12:80", "[2001:db8::12]:80"}, {"198.18.2.1:80", "[2001:db8:2::1]:80"});
  state.services["hash"].mode = config::Mode::kDnat;
  state.services["hash"].scheduler = config::Scheduler::kSourceHash;
  const auto want = plan(state);
  const auto build = netlink::nft::build_table(want);
  commit(build);
  EXPECT_EQ(table(), want);
  theirs_.must("nft -f -", build.to_text());
  EXPECT_EQ(nft_listing(ours_), nft_listing(theirs_));
}

TEST_F(DataplaneRuleset, PortBlocksAreReadBackAsPlanned) {
  const auto want = plan(with_blocks());
  commit(netlink::nft::build_table(want));
  EXPECT_EQ(table(), want);
}

TEST_F(DataplaneRuleset, PortBlocksAreWhatNftMakesOfTheirText) {
  const auto build = netlink::nft::build_table(plan(loadable(with_blocks())));
  commit(build);
  theirs_.must("nft -f -", build.to_text());
  EXPECT_EQ(nft_listing(ours_), nft_listing(theirs_));
}

TEST_F(DataplaneRuleset, ThatTheDaemonDealsIsSeenForAWhileAndIsNoDrift) {
  const auto want = plan(with_blocks());
  commit(netlink::nft::build_table(want));
  const auto dealing = [this] { return ours_.must("nft list set inet wsl4 dealing").find("expires") != std::string::npos; };
  EXPECT_FALSE(dealing());
  for (int beat = 0; beat < 3; ++beat) {
    commit(go_on_dealing());
    EXPECT_TRUE(dealing());
    EXPECT_EQ(table(), want);
  }
  EXPECT_TRUE(test::eventually([&] { return !dealing(); }));
  commit(go_on_dealing());
  EXPECT_TRUE(dealing()) << "after a pause too";
}

TEST_F(DataplaneRuleset, FollowsRandomStates) {
  std::mt19937 random(4);
  Mirror mirror{service::DesiredState()};
  commit(netlink::nft::build_table(mirror.table()));
  for (unsigned step = 0; step < kSteps; ++step) {
    auto next = test::random_state(random);
    next.double_dnat = false;
    const auto change = test::difference(mirror.state(), next);
    commit(mirror.transition(change));
    mirror.commit(change);
    ASSERT_EQ(table(), plan(next)) << "step " << step;
  }
}

TEST_F(DataplaneRuleset, ATransitionsTextDoesTheSame) {
  std::mt19937 random(7);
  service::DesiredState nothing;
  nothing.double_dnat = true;
  Mirror mirror(nothing);
  const auto build = netlink::nft::build_table(mirror.table());
  commit(build);
  theirs_.must("nft -f -", build.to_text());
  for (int step = 0; step < 10; ++step) {
    auto next = loadable(test::random_state(random));
    next.double_dnat = true;
    const auto change = test::difference(mirror.state(), next);
    const auto transition = mirror.transition(change);
    commit(transition);
    mirror.commit(change);
    if (!transition.empty()) theirs_.must("nft -f -", transition.to_text());
    ASSERT_EQ(nft_listing(ours_), nft_listing(theirs_)) << "step " << step;
  }
}

TEST_F(DataplaneRuleset, WhatSomebodyBrokeIsMended) {
  const auto want = plan(all_kinds());
  commit(netlink::nft::build_table(want));
  ours_.must("nft flush chain inet wsl4 postrouting");
  ours_.must("nft flush map inet wsl4 slots/chat-ip");
  ours_.must("nft add rule inet wsl4 guard ip ttl 7 drop");
  ours_.must("nft 'add set inet wsl4 other { type ipv4_addr; }; add element inet wsl4 other { 198.18.9.9 }'");
  ours_.must("nft 'add chain inet wsl4 other; add rule inet wsl4 other ip saddr @other jump guard'");
  commit(diff(table(), want));
  EXPECT_EQ(table(), want);
  EXPECT_TRUE(diff(table(), want).empty());
}

TEST_F(DataplaneRuleset, BackendsAreReadBackFromTheKernel) {
  const auto state = all_kinds();
  commit(netlink::nft::build_table(plan(state)));
  EXPECT_EQ(adopted_backends(table(), state.mark), adopted_backends(plan(state), state.mark));
  EXPECT_EQ(adopted_backends(table(), state.mark).size(), 6U);
}

}  // namespace
}  // namespace wsl4::dataplane
