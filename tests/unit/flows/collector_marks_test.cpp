// Which backend a flow's mark stands for, and when that is put right.
#include <gtest/gtest.h>

#include "daemon/flows/collector.h"
#include "tests/unit/flows/collector_bed.h"

namespace wsl4::flows {
namespace {

TEST_F(CollectorTest, FlowsAreBookedToTheServiceThatListensAtTheirVipNow) {
  conntrack.table = {counted(1), counted(2), counted(3, 2)};
  conntrack.table[1].mark |= kCollectedMark.closing_bit() | 1U;  // and a bit of somebody else's
  conntrack.table[2].reply.source.port = 9999;                   // a backend that the service does not have
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  numbers.set_gone({{place_of(conntrack.table[0]), 9}});
  ASSERT_TRUE(collector->rebook_now(0));
  EXPECT_EQ(collector->counter().backend(1).held, 0U);
  EXPECT_EQ(collector->counter().backend(2).held, 1U) << "nobody knows better";
  EXPECT_EQ(collector->counter().backend(9).held, 2U);
  EXPECT_EQ(collector->counter().backend(9).connections, 1U);
  EXPECT_EQ(collector->counter().backend(9).started, 0U) << "none of them has begun now";
  EXPECT_EQ(conntrack.table[0].mark, kCollectedMark.to_mark(9));
  EXPECT_EQ(conntrack.table[1].mark, kCollectedMark.to_mark(9) | kCollectedMark.closing_bit() | 1U);
  EXPECT_EQ(conntrack.table[2].mark, kCollectedMark.to_mark(2));
  EXPECT_EQ(std::ranges::count(observer.told, "dumped"), 6) << "each is told in each dump";
}

TEST_F(CollectorTest, MarksOfAFormerLayoutAreReplaced) {
  const service::MarkLayout former(0x0ff00000);
  conntrack.table = {counted(1), counted(2), counted(3)};
  for (auto& flow : conntrack.table) flow.mark = former.to_mark(1);
  conntrack.table[1].reply.source.port = 9999;
  conntrack.table[2].mark = 0x1;  // somebody else's, to the same place
  numbers.set_gone({{place_of(conntrack.table[0]), 5}});
  const auto collector = make();
  ASSERT_TRUE(collector->start());
  ASSERT_TRUE(collector->rebook_now(0x0ff00000));
  EXPECT_EQ(conntrack.table[0].mark, kCollectedMark.to_mark(5));
  EXPECT_EQ(conntrack.table[1].mark, 0U) << "nobody's: nothing is known at its place";
  EXPECT_EQ(conntrack.table[2].mark, 0x1U);
  EXPECT_EQ(collector->counter().backend(5).held, 1U);
  EXPECT_EQ(collector->counter().size(), 1U);
}

}  // namespace
}  // namespace wsl4::flows
