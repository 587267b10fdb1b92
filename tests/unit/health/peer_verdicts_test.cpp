#include "daemon/health/peer_verdicts.h"

#include <gtest/gtest.h>

namespace wsl4::health {
namespace {

using netlink::Endpoint;
using netlink::IpAddress;

Endpoint backend(const char* text) { return *Endpoint::parse(text); }

PeerVerdicts some() {
  PeerVerdicts verdicts;
  verdicts.settled = true;
  verdicts.named[{"chat", backend("198.18.2.10:80")}] = {true, "connection \"refused\"", {}};
  verdicts.named[{"chat", backend("198.18.2.11:80")}] = {
      false, "", {*IpAddress::parse("198.18.2.100"), *IpAddress::parse("198.18.2.101")}};
  verdicts.named[{"six", backend("[2001:db8:2::10]:80")}] = {true, "", {*IpAddress::parse("2001:db8:2::100")}};
  return verdicts;
}

TEST(PeerVerdicts, ComeBackAsTheyWere) {
  for (auto verdicts : {PeerVerdicts{}, some()}) {
    const auto parsed = parse_verdicts(to_text(verdicts));
    ASSERT_TRUE(parsed) << parsed.error();
    EXPECT_EQ(*parsed, verdicts);
  }
}

TEST(PeerVerdicts, WhoIsNotNamedIsUpOnceAllAreSettled) {
  auto verdicts = some();
  EXPECT_EQ(verdicts.find("chat", backend("198.18.2.12:80")), PeerVerdict{});
  EXPECT_TRUE(verdicts.find("chat", backend("198.18.2.10:80"))->down);
  verdicts.settled = false;
  EXPECT_EQ(verdicts.find("chat", backend("198.18.2.12:80")), std::nullopt);
  EXPECT_TRUE(verdicts.find("chat", backend("198.18.2.10:80"))->down);
}

TEST(PeerVerdicts, BrokenTextsAreTold) {
  const auto error_of = [](const std::string& text) {
    const auto parsed = parse_verdicts(text);
    return parsed ? "" : parsed.error();
  };
  const auto with = [](const std::string& services) { return R"({"version":1,"settled":true,"services":)" + services + "}"; };
  EXPECT_EQ(error_of("{\"version\":2}"), "not of version 1");
  EXPECT_EQ(error_of("{\"version\":1}"), "settled is broken");
  EXPECT_EQ(error_of(with("[]")), "services is broken");
  EXPECT_EQ(error_of(with(R"({"chat":1})")), "chat is broken");
  for (const auto* bad :
       {R"({"chat":{"nowhere":{}}})", R"({"chat":{"198.18.2.10:80":7}})", R"({"chat":{"198.18.2.10:80":{"down":true}}})",
        R"({"chat":{"198.18.2.10:80":{"excluded":"198.18.2.1"}}})", R"({"chat":{"198.18.2.10:80":{"excluded":["x"]}}})"})
    EXPECT_TRUE(error_of(with(bad)).starts_with("chat/")) << bad;
}

}  // namespace
}  // namespace wsl4::health
