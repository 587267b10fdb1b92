#include "daemon/control/body.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wsl4::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

template <class T>
std::vector<std::string> problems(const Outcome<T>& outcome, int status) {
  EXPECT_FALSE(outcome.has_value());
  if (outcome) return {};
  EXPECT_EQ(outcome.error().http_status, status);
  return outcome.error().details;
}

TEST(Bodies, ThatAreNoObjectAreBadRequests) {
  EXPECT_THAT(problems(parse_edit(""), 400), ElementsAre(HasSubstr("the body is not JSON: ")));
  for (const char* body : {"{", "{}{}", "{'weight': 1}", "{\"weight\": 01}", "{\"a\": \"\xff\"}", "nan"})
    EXPECT_THAT(problems(parse_edit(body), 400), ElementsAre(HasSubstr("the body is not JSON: "))) << body;
  for (const char* body : {"null", "5", "\"weight\"", "[{\"weight\": 1}]"})
    EXPECT_THAT(problems(parse_edit(body), 400), ElementsAre("the body must be a JSON object")) << body;
}

TEST(Bodies, ThatAreDeepAreRefusedAtOnce) {
  const std::string deep = "{\"weight\": " + std::string(500'000, '[');
  EXPECT_THAT(problems(parse_edit(deep), 400), ElementsAre(HasSubstr("the body is not JSON: ")));
  EXPECT_THAT(problems(parse_edit(R"({"weight": [[[1]]]})"), 422), ElementsAre("weight: must be an integer (0-1000)"));
  problems(parse_edit(R"({"weight": [[[[1]]]]})"), 400);
}

// What is allowed in a member is what the file allows; the messages are the same.
TEST(Bodies, EveryMemberThatIsWrongIsNamed) {
  EXPECT_THAT(
      problems(parse_add(R"({"address": "127.0.0.1:80", "weight": 1001, "max_connections": -1, "public": "a b", "ttl": 5})"), 422),
      ElementsAre("address: \"127.0.0.1:80\" is an address that packets cannot be forwarded to (ADDRESS:PORT such as "
                  "198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified)",
                  "weight: 1001 is out of range (0-1000)", "max_connections: -1 is out of range (0-1000000000)",
                  "public: \"a b\" is not a text without spaces (printable characters without spaces, at most 1024)",
                  "\"ttl\": there is no such member (here: address, weight, max_connections, public)"));
  EXPECT_THAT(problems(parse_edit(R"({"weigth": 1, "state": "drain", "evict": 1000001, "connections": 1.5})"), 422),
              UnorderedElementsAre("state: \"drain\" is none of the choices (enabled | draining | disabled)",
                                   "evict: 1000001 is out of range (0-1000000)", "connections: must be an integer (0-1000000000)",
                                   "\"weigth\": there is no such member (did you mean weight?)"));
}

TEST(Bodies, TypesAreNotConverted) {
  for (const char* body :
       {R"({"weight": "5"})", R"({"weight": true})", R"({"weight": null})", R"({"weight": {}})", R"({"weight": 5.0})"})
    EXPECT_THAT(problems(parse_edit(body), 422), ElementsAre(HasSubstr("must be an integer (0-1000)"))) << body;
  for (const char* body : {R"({"state": 1})", R"({"state": null})", R"({"state": ["enabled"]})"})
    EXPECT_THAT(problems(parse_edit(body), 422), ElementsAre(HasSubstr("must be a string (enabled | draining | disabled)")))
        << body;
  EXPECT_THAT(problems(parse_edit(R"({"connections": 18446744073709551615})"), 422),
              ElementsAre("connections: 18446744073709551615 is out of range (0-1000000000)"));
}

TEST(Bodies, WhatIsRequiredIsMissed) {
  EXPECT_THAT(problems(parse_add("{}"), 422), ElementsAre(HasSubstr("address: is missing (ADDRESS:PORT such as ")));
  EXPECT_THAT(problems(parse_rebalance("{}"), 422), ElementsAre("rate: is missing (0-1000000)"));
  EXPECT_THAT(problems(parse_rebalance(R"({"rate": "fast"})"), 422),
              ElementsAre("rate: is a string, must be an integer (0-1000000)"));
  EXPECT_EQ(parse_rebalance(R"({"rate": 1000000})").value(), 1'000'000U);
}

TEST(Bodies, OfAFailoverMayBeEmpty) {
  EXPECT_FALSE(parse_failover("").value());
  EXPECT_FALSE(parse_failover("{}").value());
  EXPECT_FALSE(parse_failover(R"({"force": false})").value());
  EXPECT_TRUE(parse_failover(R"({"force": true})").value());
  for (const char* body : {"force", "true", "[]"}) problems(parse_failover(body), 400);
  for (const char* value : {"1", "null", "\"true\"", "{}"})
    EXPECT_THAT(problems(parse_failover(fmt::format(R"({{"force": {}}})", value)), 422),
                ElementsAre("force: must be true or false"));
  EXPECT_THAT(problems(parse_failover(R"({"Force": true, "force": 1})"), 422),
              UnorderedElementsAre("\"Force\": there is no such member (here: force)", "force: must be true or false"));
}

TEST(Bodies, OfARoleNameIt) {
  EXPECT_TRUE(parse_role(R"({"role": "active"})").value());
  EXPECT_FALSE(parse_role(R"({"role": "standby"})").value());
  problems(parse_role(""), 400);
  EXPECT_THAT(problems(parse_role("{}"), 422), ElementsAre("role: is missing (active | standby)"));
  for (const char* value : {"true", "null", "\"fault\"", "\"Active\"", "[\"active\"]"})
    EXPECT_THAT(problems(parse_role(fmt::format(R"({{"role": {}}})", value)), 422),
                ElementsAre("role: must be \"active\" or \"standby\""));
}

TEST(Refusals, HaveTheStatusOfTheirKind) {
  using Kind = service::ChangeError::Kind;
  EXPECT_EQ(to_refusal({Kind::kNotFound, {"why"}}).http_status, 404);
  EXPECT_EQ(to_refusal({Kind::kConflict, {"why"}}).http_status, 409);
  EXPECT_EQ(to_refusal({Kind::kBad, {"why"}}).http_status, 422);
  EXPECT_EQ(to_refusal({Kind::kBad, {"why"}}).details, std::vector<std::string>{"why"});
}

}  // namespace
}  // namespace wsl4::control
