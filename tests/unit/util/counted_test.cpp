#include "daemon/util/counted.h"

#include <gtest/gtest.h>

#include <vector>

namespace wsl4::util {
namespace {

TEST(Counted, OneIsOneAndMoreAreMany) {
  EXPECT_EQ(counted(0, "flow", "flows"), "0 flows");
  EXPECT_EQ(counted(1, "flow", "flows"), "1 flow");
  EXPECT_EQ(counted(1'234'567, "flow", "flows"), "1,234,567 flows");
}

TEST(Listed, NamesTheFirstAndCountsTheRest) {
  const std::vector<std::string> names{"a", "b", "c"};
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed(names), "a, b, c");
  EXPECT_EQ(listed(names, 3), "a, b, c");
  EXPECT_EQ(listed(names, 1), "a and 2 more");
  EXPECT_EQ(listed(std::vector<std::string>(2000, "x"), 2), "x, x and 1,998 more");
}

}  // namespace
}  // namespace wsl4::util
