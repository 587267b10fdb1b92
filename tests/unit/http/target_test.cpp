#include "daemon/http/target.h"

#include <gtest/gtest.h>

namespace wsl4::http {
namespace {

using Path = std::vector<std::string>;
using Query = std::map<std::string, std::string>;

TEST(Target, DecodesPathAndQuery) {
  const auto target = parse_target("/v1/services/a%20b/x+y?client=2001%3Adb8%3A%3a1&text=a+b&flag&&empty=");
  ASSERT_TRUE(target) << target.error();
  EXPECT_EQ(target->path, (Path{"v1", "services", "a b", "x+y"}));
  EXPECT_EQ(target->query, (Query{{"client", "2001:db8::1"}, {"text", "a b"}, {"flag", ""}, {"empty", ""}}));
}

TEST(Target, TellsEmptySegments) {
  EXPECT_EQ(parse_target("/")->path, Path{});
  EXPECT_EQ(parse_target("/a/")->path, (Path{"a", ""}));
  EXPECT_EQ(parse_target("//a")->path, (Path{"", "a"}));
}

TEST(Target, AcceptsAbsoluteForm) {
  EXPECT_EQ(parse_target("http://lb-a:9440/metrics")->path, Path{"metrics"});
  EXPECT_EQ(parse_target("http://lb-a")->path, Path{});
}

TEST(Target, ASlashThatIsEncodedStaysInItsSegment) { EXPECT_EQ(parse_target("/a%2Fb/..")->path, (Path{"a/b", ".."})); }

TEST(Target, RefusesWhatIsBroken) {
  for (const char* text :
       {"", "*", "v1/status", "lb-a:443", "/%", "/%4", "/%zz", "/a%00b", "/%7f", "/?a=%0d%0a", "/?a=1&a=2", "http://x?a=1"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
  EXPECT_EQ(parse_target("/?a=1&a=2").error(), "parameter 'a' is given twice");
}

TEST(Target, EncodesWhatItDecodes) {
  std::string all;
  for (int c = 0x20; c < 0x7f; ++c) all.push_back(static_cast<char>(c));
  const auto target = parse_target("/" + percent_encode(all) + "?v=" + percent_encode(all));
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, Path{all});
  EXPECT_EQ(target->query, (Query{{"v", all}}));
}

}  // namespace
}  // namespace wsl4::http
