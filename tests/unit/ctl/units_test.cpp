#include "daemon/ctl/units.h"

#include <gtest/gtest.h>

namespace wsl4::ctl {
namespace {

TEST(Units, CountsHaveThousandsSeparators) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(123456), "123,456");
  EXPECT_EQ(human_count(18446744073709551615U), "18,446,744,073,709,551,615");
}

TEST(Units, SharesAreInPercent) {
  EXPECT_EQ(human_share(0), "0.0 %");
  EXPECT_EQ(human_share(1.0 / 3), "33.3 %");
  EXPECT_EQ(human_share(1), "100.0 %");
}

TEST(Units, DurationsHaveTwoUnits) {
  EXPECT_EQ(human_seconds(0), "0 s");
  EXPECT_EQ(human_seconds(59), "59 s");
  EXPECT_EQ(human_seconds(60), "1 min 0 s");
  EXPECT_EQ(human_seconds(3599), "59 min 59 s");
  EXPECT_EQ(human_seconds(7260), "2 h 1 min");
  EXPECT_EQ(human_seconds(86400 * 3 + 3600 * 4), "3 d 4 h");
}

TEST(Units, OneIsNotMany) {
  EXPECT_EQ(counted(1, "flow", "flows"), "1 flow");
  EXPECT_EQ(counted(0, "flow", "flows"), "0 flows");
  EXPECT_EQ(counted(2000, "flow", "flows"), "2,000 flows");
}

TEST(Units, TimesAreReadable) {
  EXPECT_EQ(human_time("2026-11-23T13:41:00Z"), "2026-11-23 13:41:00 UTC");
  EXPECT_EQ(human_time("soon"), "soon");
}

}  // namespace
}  // namespace wsl4::ctl
