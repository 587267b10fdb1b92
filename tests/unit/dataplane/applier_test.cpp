#include "daemon/dataplane/applier.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <numeric>

#include "tests/support/desired_states.h"
#include "tests/support/fake_nftables.h"

namespace wsl4::dataplane {
namespace {

using netlink::nft::DeleteTable;

class ApplierTest : public testing::Test {
 protected:
  void change_by_others() {
    auto table = kernel.read_table(kTableName).value().value();
    table.chains["theirs"] = {};
    kernel.replace_by_others(kTableName, table);
  }

  test::FakeNftables kernel;
  std::vector<std::size_t> commits;  // objects of each
  Applier applier{kernel, [this](std::size_t objects) { commits.push_back(objects); }};
};

TEST_F(ApplierTest, ADifferenceThatTheKernelRefusesIsMendedByBuildingAnew) {
  ASSERT_TRUE(applier.apply(test::two_services()));
  const auto want = kernel.read_table(kTableName).value();
  change_by_others();
  kernel.fail_next_commit({EBUSY, "delete chain theirs"});
  const auto repaired = applier.repair();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_TRUE(std::holds_alternative<DeleteTable>(kernel.committed().back().operations().front()));
  EXPECT_EQ(kernel.read_table(kTableName).value(), want);
  EXPECT_TRUE(applier.in_sync());
}

TEST_F(ApplierTest, WhatIsNotPermittedIsNotTriedAgain) {
  ASSERT_TRUE(applier.apply(test::two_services()));
  change_by_others();
  kernel.fail_next_commit({EPERM, "delete chain theirs"});
  const auto repaired = applier.repair();
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error().code, EPERM);
  EXPECT_FALSE(applier.in_sync());
}

TEST_F(ApplierTest, TellsHowMuchEachCommitHolds) {
  const auto applied = applier.apply(test::many_services(600));
  ASSERT_TRUE(applied);
  EXPECT_EQ(commits.size(), 3U) << "a table is built in pieces";
  EXPECT_EQ(std::accumulate(commits.begin(), commits.end(), std::size_t{0}), applied->objects);
}

}  // namespace
}  // namespace wsl4::dataplane
