// What reaches the kernel, also after a failure.
#include "daemon/dataplane/applier.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <numeric>
#include <random>

#include "tests/support/desired_states.h"
#include "tests/support/fake_nftables.h"
#include "tests/support/seeds.h"

namespace wsl4::dataplane {
namespace {

class ApplierTest : public testing::Test {
 protected:
  /// Whether it worked; then the kernel's table is the state's.
  bool move_to(const service::DesiredState& next) {
    const auto applied = applier_.apply(test::difference(applier_.state(), next));
    if (!applied) return false;
    EXPECT_TRUE(applier_.in_sync());
    EXPECT_EQ(applier_.state(), next);
    EXPECT_EQ(table(), plan(next));
    return true;
  }
  netlink::nft::Table table() { return kernel_.read_table(kTableName).value().value_or(netlink::nft::Table{}); }

  void change_by_others() {
    auto other = table();
    other.chains["theirs"] = {};
    kernel_.replace_by_others(kTableName, other);
  }

  test::FakeNftables kernel_;
  std::vector<std::size_t> commits_;  // objects of each
  Applier applier_{kernel_, {}, [this](std::size_t objects) { commits_.push_back(objects); }};
};

TEST_F(ApplierTest, ATableFromNothingComesInPieces) {
  ASSERT_TRUE(applier_.adopt(service::MarkLayout()));
  ASSERT_TRUE(move_to(test::many_services(1100)));
  EXPECT_GT(kernel_.committed().size(), 2U);
  const auto pieces = kernel_.committed().size();
  auto next = applier_.state();
  next.services.at("service-7").backends[0].share_weight = 0;
  ASSERT_TRUE(move_to(next));
  ASSERT_EQ(kernel_.committed().size(), pieces + 1);
  EXPECT_LT(kernel_.committed().back().weight(), 20U);
}

TEST_F(ApplierTest, TellsHowMuchEachCommitHolds) {
  const auto applied = applier_.apply(test::difference({}, test::many_services(1100)));
  ASSERT_TRUE(applied);
  EXPECT_EQ(commits_.size(), kernel_.committed().size());
  EXPECT_EQ(std::accumulate(commits_.begin(), commits_.end(), std::size_t{0}), applied->objects);
}

TEST_F(ApplierTest, WhatWasFoundIsKeptWhereItIsRight) {
  ASSERT_TRUE(kernel_.commit(netlink::nft::build_table(plan(test::two_services()))));
  const auto adopted = applier_.adopt(service::MarkLayout());
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->size(), 6U);
  auto next = test::two_services();
  next.services.at("dns").backends.pop_back();
  ASSERT_TRUE(move_to(next));
  EXPECT_LT(kernel_.committed().back().weight(), 20U);
}

TEST_F(ApplierTest, AfterAFailureTheNextOneIsFull) {
  ASSERT_TRUE(applier_.adopt(service::MarkLayout()));
  const auto before = test::two_services();
  ASSERT_TRUE(move_to(before));
  kernel_.fail_next_commit({ENOMEM, "no memory"});
  auto next = before;
  next.services.erase("dns");
  EXPECT_FALSE(move_to(next));
  EXPECT_FALSE(applier_.in_sync());
  EXPECT_EQ(applier_.state(), before) << "it stays where it was";
  // Half of it may have been done, or something else.
  auto other = table();
  other.chains.at("guard").rules.clear();
  kernel_.replace_by_others(kTableName, other);
  EXPECT_TRUE(move_to(before));
}

TEST_F(ApplierTest, AFailureOfTheFirstTableIsMended) {
  ASSERT_TRUE(applier_.adopt(service::MarkLayout()));
  kernel_.own_by_others(kTableName, true);
  EXPECT_FALSE(move_to(test::many_services(300)));
  kernel_.own_by_others(kTableName, false);
  EXPECT_TRUE(move_to(test::many_services(300)));
}

TEST_F(ApplierTest, RandomStatesWithFailuresFollowEachOther) {
  for (unsigned seed = 0; seed < test::seeds(40U); ++seed) {
    std::mt19937 random(seed);
    test::FakeNftables kernel;
    Applier applier(kernel, {});
    for (int step = 0; step < 12; ++step) {
      auto next = test::random_state(random);
      next.double_dnat = false;
      if (random() % 3 == 0) kernel.fail_next_commit({EBUSY, "drawn"});
      const auto applied = applier.apply(test::difference(applier.state(), next));
      if (!applied) continue;
      ASSERT_EQ(kernel.read_table(kTableName).value(), plan(next)) << "seed " << seed << ", step " << step;
    }
  }
}

TEST_F(ApplierTest, RepairPutsRightWhatSomebodyChanged) {
  ASSERT_TRUE(applier_.adopt(service::MarkLayout()));
  ASSERT_TRUE(move_to(test::two_services()));
  EXPECT_EQ(applier_.repair()->objects, 0U);
  kernel_.replace_by_others(kTableName, std::nullopt);
  EXPECT_GT(applier_.repair()->objects, 0U);
  EXPECT_EQ(table(), plan(test::two_services()));
}

TEST_F(ApplierTest, ADifferenceThatTheKernelRefusesIsMendedByBuildingAnew) {
  ASSERT_TRUE(move_to(test::two_services()));
  change_by_others();
  kernel_.fail_next_commit({EBUSY, "delete chain theirs"});
  const auto repaired = applier_.repair();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_TRUE(std::holds_alternative<netlink::nft::DeleteTable>(kernel_.committed().back().operations().front()));
  EXPECT_EQ(table(), plan(test::two_services()));
  EXPECT_TRUE(applier_.in_sync());
}

TEST_F(ApplierTest, WhatIsNotPermittedIsNotTriedAgain) {
  ASSERT_TRUE(move_to(test::two_services()));
  change_by_others();
  kernel_.fail_next_commit({EPERM, "delete chain theirs"});
  const auto repaired = applier_.repair();
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error().code, EPERM);
  EXPECT_FALSE(applier_.in_sync());
}

TEST_F(ApplierTest, SharesAndBlocksWaitUntilTheKernelsTableIsKnown) {
  auto state = test::two_services();
  state.services.at("chat").blocks[1] = {{test::address("198.18.1.1"), 7}};
  ASSERT_TRUE(move_to(state));
  auto shares = state.services.at("chat");
  shares.backends[0].share_weight = 5;
  shares.blocks.clear();
  kernel_.fail_next_commit({EBUSY, "drawn"});
  EXPECT_FALSE(applier_.apply_shares(std::vector{shares}));
  EXPECT_EQ(applier_.apply_shares(std::vector{shares})->objects, 0U);
  const std::vector<BlocksChange> none{{"chat", 1, std::nullopt}};
  EXPECT_EQ(applier_.apply_blocks(none)->objects, 0U);
  ASSERT_TRUE(move_to(state));
  EXPECT_GT(applier_.apply_shares(std::vector{shares})->objects, 0U);
  EXPECT_EQ(applier_.state().services.at("chat").blocks, state.services.at("chat").blocks);
  EXPECT_GT(applier_.apply_blocks(none)->objects, 0U);
  EXPECT_EQ(table(), plan(applier_.state()));
}

}  // namespace
}  // namespace wsl4::dataplane
