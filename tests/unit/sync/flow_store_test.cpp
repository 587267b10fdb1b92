#include "sync/flow_store.h"

#include <gtest/gtest.h>

#include "tests/support/sync_flows.h"

namespace wsl4::sync {
namespace {

using test::sync_flow;

class FlowStores : public testing::Test {
 protected:
  Record record(const Flow& flow) { return acquire(store_.dictionary(), flow).value(); }
  FlowStore store_;
};

TEST_F(FlowStores, KeepWhatIsTheirOwn) {
  auto flow = sync_flow(1);
  EXPECT_TRUE(store_.put_own(record(flow)));
  flow.snat.port = 9;
  EXPECT_FALSE(store_.put_copy(record(flow)));
  EXPECT_EQ(store_.find(record(flow).key)->snat_port, 1) << "no peer changes it";
  EXPECT_EQ(store_.copies().size(), 0U);
}

TEST_F(FlowStores, TakeAnEndFromWhoeverSawIt) {
  auto flow = sync_flow(1);
  store_.put_own(record(flow));
  flow.flags = kClosing;
  auto other = flow;
  other.snat.port = 9;
  EXPECT_FALSE(store_.put_copy(record(other))) << "of another flow";
  EXPECT_TRUE(store_.put_copy(record(flow)));
  EXPECT_FALSE(store_.put_copy(record(flow)));
  EXPECT_FALSE(store_.put_copy(record(sync_flow(1)))) << "it does not come undone";
  EXPECT_EQ(store_.find(record(flow).key)->flags, kClosing);
  EXPECT_EQ(store_.own().size(), 1U);
}

TEST_F(FlowStores, DoNotOwnWhatTheyPutIntoTheKernelThemselves) {
  auto flow = sync_flow(1);
  EXPECT_TRUE(store_.put_copy(record(flow)));
  EXPECT_FALSE(store_.put_copy(record(flow)));
  flow.tcp_flags_original = 0x2b;  // as the kernel tells it after the injection
  EXPECT_FALSE(store_.put_own(record(flow)));
  EXPECT_EQ(store_.own().size(), 0U) << "else it would be sent back";
  flow.snat.port = 9;
  EXPECT_TRUE(store_.put_own(record(flow))) << "another flow with the same original tuple";
  EXPECT_EQ(store_.copies().size(), 0U);
}

TEST_F(FlowStores, OwnEverythingOrNothing) {
  store_.put_own(record(sync_flow(1)));
  store_.put_copy(record(sync_flow(2)));
  const auto bucket = store_.own().bucket_of(record(sync_flow(1)).key);
  const auto digest = store_.digest(bucket);
  EXPECT_NE(digest, 0U);
  store_.own_all();
  EXPECT_EQ(store_.own().size(), 2U);
  EXPECT_EQ(store_.digest(bucket), digest);
  store_.own_nothing();
  EXPECT_EQ(store_.copies().size(), 2U);
  EXPECT_EQ(store_.own().size(), 0U);
  EXPECT_EQ(store_.digest(bucket), digest);
}

}  // namespace
}  // namespace wsl4::sync
