#include "daemon/control/tokens.h"

#include <sys/stat.h>

#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/http_bed.h"

namespace wsl4::control {
namespace {

using Verdict = Tokens::Verdict;

constexpr const char* kFile = R"(# who may join

  # indented
5kQ0q3PzDqkMq1yV  chat, video   # two
Zz7V9o2m3bXJY8d1	*
abcdefgh-._~+/==,one,,two ,
)";

Tokens tokens(const std::string& text) {
  auto parsed = Tokens::parse(text, "tokens");
  EXPECT_TRUE(parsed) << parsed.error().front();
  return parsed.value_or(Tokens());
}

std::vector<std::string> problems(const std::string& text) {
  const auto parsed = Tokens::parse(text, "tokens");
  return parsed ? std::vector<std::string>{} : parsed.error();
}

TEST(Tokens, GrantTheServicesBehindThem) {
  const Tokens three = tokens(kFile);
  EXPECT_EQ(three.size(), 3U);
  const std::string first = "Bearer 5kQ0q3PzDqkMq1yV", all = "Bearer Zz7V9o2m3bXJY8d1", odd = "Bearer abcdefgh-._~+/==";
  EXPECT_EQ(three.check(first, "chat"), Verdict::kGranted);
  EXPECT_EQ(three.check(first, "video"), Verdict::kGranted);
  EXPECT_EQ(three.check(first, "two"), Verdict::kOtherServices);
  EXPECT_EQ(three.check(first, "*"), Verdict::kOtherServices);
  EXPECT_EQ(three.check(first, ""), Verdict::kOtherServices);
  EXPECT_EQ(three.check(all, "anything"), Verdict::kGranted);
  EXPECT_EQ(three.check(odd, "two"), Verdict::kGranted);
  EXPECT_EQ(three.check(odd, "chat"), Verdict::kOtherServices);
}

TEST(Tokens, TheHeaderIsReadAsBearer) {
  const Tokens three = tokens(kFile);
  for (const char* good : {"bearer Zz7V9o2m3bXJY8d1", "BEARER   Zz7V9o2m3bXJY8d1"}) {
    EXPECT_EQ(three.check(good, "chat"), Verdict::kGranted) << good;
  }
  for (const char* bad :
       {"", "Bearer", "Bearer ", "Zz7V9o2m3bXJY8d1", "Basic Zz7V9o2m3bXJY8d1", "BearerZz7V9o2m3bXJY8d1", "Bearer Zz7V9o2m3bXJY8d",
        "Bearer Zz7V9o2m3bXJY8d1x", "Bearer Zz7V9o2m3bXJY8d1 ", "Bearer zz7V9o2m3bXJY8d1", "Bearer # who may join", "Bearer *"}) {
    EXPECT_EQ(three.check(bad, "chat"), Verdict::kUnknown) << bad;
  }
}

TEST(Tokens, WithoutTokensNobodyMayJoin) {
  EXPECT_EQ(Tokens().check("Bearer Zz7V9o2m3bXJY8d1", "chat"), Verdict::kUnknown);
  EXPECT_EQ(tokens("").size(), 0U);
  EXPECT_EQ(tokens("# none\n\n,\n").size(), 0U);
  EXPECT_EQ(tokens("").check("", ""), Verdict::kUnknown);
}

TEST(Tokens, LinesMayEndInCarriageReturnsAndTheLastOneInNothing) {
  const Tokens two = tokens("5kQ0q3PzDqkMq1yV chat\r\nZz7V9o2m3bXJY8d1 chat");
  EXPECT_EQ(two.check("Bearer 5kQ0q3PzDqkMq1yV", "chat"), Verdict::kGranted);
  EXPECT_EQ(two.check("Bearer Zz7V9o2m3bXJY8d1", "chat"), Verdict::kGranted);
}

TEST(Tokens, EveryProblemIsToldWithItsLineAndWithoutTheToken) {
  const std::string text =
      "5kQ0q3PzDqkMq1y chat\n"
      "# fine\n"
      "5kQ0q3PzDqkMq1yV\n"
      "5kQ0q3PzDqkMq1yV # chat\n"
      "5kQ0q3PzDqk:q1yV chat\n"
      "5kQ0q3PzDqkMq1yV chat\n"
      "5kQ0q3PzDqkMq1yV video\n"
      "Zz7V9o2m3bXJY8d1 Chat an-y \"x\n";
  EXPECT_EQ(problems(text), (std::vector<std::string>{
                                "tokens:1: the token has 15 characters (at least 16)",
                                "tokens:3: the token may join no service (write their names behind it, or *)",
                                "tokens:4: the token may join no service (write their names behind it, or *)",
                                "tokens:5: the token has characters that none may have (letters, digits and - . _ ~ + / =)",
                                "tokens:7: the token is that of line 6 too",
                                "tokens:8: \"Chat\" is not the name of a service (a-z, 0-9 and -, at most 32 characters)",
                                "tokens:8: \"\\\"x\" is not the name of a service (a-z, 0-9 and -, at most 32 characters)",
                            }));
}

TEST(Tokens, NamesOfServicesThatAreNotThereAreToldOnce) {
  config::Config config;
  config.control.token_file = "/t";
  config.services.resize(2);
  config.services[0].name = "chat";
  config.services[1].name = "dns";
  EXPECT_EQ(Tokens().strangers(config), std::vector<std::string>{});
  EXPECT_EQ(tokens("5kQ0q3PzDqkMq1yV chat dns\nZz7V9o2m3bXJY8d1 *\n").strangers(config), std::vector<std::string>{});
  std::string text = "5kQ0q3PzDqkMq1yV chta, dns\nZz7V9o2m3bXJY8d1 *, video\n5kQ0q3PzDqkMq1yW video chta\n";
  EXPECT_EQ(tokens(text).strangers(config), (std::vector<std::string>{"/t:1: there is no service \"chta\" (did you mean chat?)",
                                                                      "/t:2: there is no service \"video\""}));
  text += "5kQ0q3PzDqkMq1yX";
  for (int i = 100; i < 111; ++i) text += fmt::format(" service-{}", i);
  const auto many = tokens(text).strangers(config);
  ASSERT_EQ(many.size(), 11U);
  EXPECT_EQ(many[9], "/t:4: there is no service \"service-107\"");
  EXPECT_EQ(many[10], "/t: there are 3 more names of no service");
}

TEST(Tokens, SoManyAndNoMore) {
  std::string text;
  for (std::size_t i = 0; i < Tokens::kMaxTokens; ++i) text += fmt::format("token-number-{:08} chat\n", i);
  EXPECT_EQ(tokens(text).size(), Tokens::kMaxTokens);
  EXPECT_EQ(problems(text + "one-token-too-many chat"),
            (std::vector<std::string>{"tokens:4097: there are too many tokens (at most 4096)"}));
}

TEST(Tokens, TheFileMustNotBeReadableByOthers) {
  const test::TemporaryFolder folder;
  const auto path = folder.file("tokens");
  std::ofstream(path) << kFile;
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  const auto open = Tokens::load(path);
  ASSERT_FALSE(open);
  EXPECT_NE(open.error().front().find("chmod 0640 " + path), std::string::npos);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  const auto closed = Tokens::load(path);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->size(), 3U);
  EXPECT_FALSE(Tokens::load(folder.file("nowhere")));
}

}  // namespace
}  // namespace wsl4::control
