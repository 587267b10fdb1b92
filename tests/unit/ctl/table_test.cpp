#include "daemon/ctl/table.h"

#include <gtest/gtest.h>

namespace wsl4::ctl {
namespace {

TEST(Table, ColumnsAreAsWideAsWhatIsInThem) {
  Table table({{"NAME"}, {"N", true}, {"NOTE"}});
  table.add({{"[2001:db8:1234:5678:9abc:def0:1234:5678]:65535"}, {"5"}, {"x"}});
  table.add({{"a"}, {"1,000"}, {""}});
  EXPECT_EQ(table.render("  ", false),
            "  NAME                                                N  NOTE\n"
            "  [2001:db8:1234:5678:9abc:def0:1234:5678]:65535      5  x\n"
            "  a                                               1,000\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"A"}, {"B"}});
  table.add({{"äöü…"}, {"1"}});
  table.add({{"abcd"}, {"2"}});
  EXPECT_EQ(table.render("", false), "A     B\näöü…  1\nabcd  2\n");
}

TEST(Table, ColourTakesNoRoom) {
  Table table({{"S"}, {"T"}});
  table.add({{"up", Style::kGood}, {"1"}});
  table.add({{"down", Style::kBad}, {"2"}});
  EXPECT_EQ(table.render("", true), "\x1b[2mS\x1b[0m     \x1b[2mT\x1b[0m\n\x1b[32mup\x1b[0m    1\n\x1b[31mdown\x1b[0m  2\n");
}

TEST(Table, PlainTextHasNoCodes) {
  EXPECT_EQ(styled("x", Style::kPlain, true), "x");
  EXPECT_EQ(styled("", Style::kBad, true), "");
  EXPECT_EQ(styled("x", Style::kBad, false), "x");
}

}  // namespace
}  // namespace wsl4::ctl
