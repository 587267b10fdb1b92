#include "sync/kernel_feed.h"

#include <gtest/gtest.h>

#include "tests/support/sync_flows.h"

namespace wsl4::sync {
namespace {

using test::sync_flow;

class KernelFeeds : public testing::Test {
 protected:
  void put(const Flow& flow) {
    const auto record = acquire(store_.dictionary(), flow).value();
    store_.put_copy(record);
    feed_.mark(record.key, ++stamp_);
    release(store_.dictionary(), record);
  }
  void erase(const Flow& flow) {
    const auto key = find_key(store_.dictionary(), flow).value();
    feed_.mark(key, ++stamp_);
    store_.erase_copy(key);
  }
  FlowStore store_;
  KernelFeed feed_{store_, store_.dictionary()};
  std::uint64_t stamp_ = 0;
};

TEST_F(KernelFeeds, TellWhatThereIsWhenTheyAreAsked) {
  auto flow = sync_flow(1);
  put(flow);
  put(sync_flow(2));
  put(sync_flow(3));
  flow.tcp_state = 5;
  put(flow);
  erase(sync_flow(2));
  const auto batch = feed_.take(2);
  ASSERT_EQ(batch.operations.size(), 2U);
  EXPECT_EQ(batch.operations[0].kind, Operation::Kind::kUpsert);
  EXPECT_EQ(batch.operations[0].flow, flow) << "as it is now, once";
  EXPECT_EQ(batch.operations[1].kind, Operation::Kind::kErase);
  EXPECT_EQ(batch.operations[1].flow.client, sync_flow(2).client);
  EXPECT_EQ(feed_.take(2).operations.size(), 1U);
  EXPECT_EQ(feed_.pending(), 3U);
  EXPECT_EQ(feed_.oldest(), 1U);
  feed_.done(batch.number, {});
  EXPECT_EQ(feed_.oldest(), 3U);
}

TEST_F(KernelFeeds, RememberWhatWasRefusedUntilItIsDone) {
  put(sync_flow(1));
  put(sync_flow(2));
  const std::vector<Flow> refused{sync_flow(1)};
  feed_.done(feed_.take(9).number, refused);
  EXPECT_FALSE(feed_.sound());
  EXPECT_EQ(feed_.refusals(), 1U);
  EXPECT_EQ(feed_.oldest(), std::nullopt) << "it holds nothing up";
  feed_.retry(7);
  EXPECT_FALSE(feed_.sound()) << "not before it has worked";
  const auto again = feed_.take(9);
  ASSERT_EQ(again.operations.size(), 1U);
  EXPECT_EQ(again.operations[0].flow, sync_flow(1));
  feed_.done(again.number, {});
  EXPECT_TRUE(feed_.sound());
}

TEST_F(KernelFeeds, DoNotCountWhatTheKernelWasNotAskedFor) {
  put(sync_flow(1));
  put(sync_flow(2));
  const std::vector<Flow> refused{sync_flow(1), sync_flow(2)};
  feed_.done(feed_.take(9).number, refused, 1);
  EXPECT_EQ(feed_.refusals(), 1U);
  feed_.retry(7);
  EXPECT_EQ(feed_.take(9).operations.size(), 2U);
}

TEST_F(KernelFeeds, TakeAgainWhatNobodyKnowsOf) {
  put(sync_flow(1));
  put(sync_flow(2));
  feed_.done(feed_.take(1).number, {});
  EXPECT_EQ(feed_.take(1).operations[0].flow, sync_flow(2));
  feed_.unknown();
  EXPECT_EQ(feed_.take(9).operations.size(), 1U);
}

TEST_F(KernelFeeds, RepairOnDemand) {
  put(sync_flow(1));
  feed_.done(feed_.take(9).number, {});
  feed_.repair(find_key(store_.dictionary(), sync_flow(1)).value(), ++stamp_);
  EXPECT_FALSE(feed_.sound());
  EXPECT_EQ(feed_.repairs(), 1U);
  feed_.done(feed_.take(9).number, {});
  EXPECT_TRUE(feed_.sound());
}

}  // namespace
}  // namespace wsl4::sync
