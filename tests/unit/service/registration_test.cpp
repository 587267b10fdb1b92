#include "daemon/service/registration.h"

#include <gtest/gtest.h>
#include <boost/json/serialize.hpp>

namespace wsl4::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::string> problems(std::string_view body) {
  const auto registration = parse_registration(body);
  return registration ? std::vector<std::string>{} : registration.error();
}

TEST(Registration, AllMembersOrTheTwoThatAreNeeded) {
  const auto all = parse_registration(R"({"address": "[2001:db8::4]:8888", "weight": 0, "ttl": "90s", "max_connections": 60000,
                                          "public": "wss://erlang-4.example.com/ws"})");
  ASSERT_TRUE(all) << all.error().front();
  EXPECT_EQ(*all, (Registration{*netlink::Endpoint::parse("[2001:db8::4]:8888"), seconds(90), 0, 60'000,
                                "wss://erlang-4.example.com/ws"}));
  const auto few = parse_registration(R"({"address": "198.18.0.4:8888", "ttl": "5s"})");
  ASSERT_TRUE(few) << few.error().front();
  EXPECT_EQ(*few, (Registration{*netlink::Endpoint::parse("198.18.0.4:8888"), seconds(5), 100, 0, ""}));
}

TEST(Registration, EveryProblemIsTold) {
  EXPECT_EQ(problems(R"({"weight": 1001, "ttl": "4s", "max_connections": -1, "public": "a b", "name": "x"})"),
            (std::vector<std::string>{
                "address: is missing (ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, "
                "multicast or unspecified)",
                R"(ttl: "4s" is out of range (5s-1h, as a string such as "150ms", "2s", "1h"))",
                "weight: 1001 is out of range (0-1000)",
                "max_connections: -1 is out of range (0-1000000000)",
                R"(public: "a b" is not a text without spaces (printable characters without spaces, at most 1024))",
                R"("name": there is no such member (address, ttl, weight, max_connections, public))",
            }));
}

TEST(Registration, ValuesOfTheWrongKind) {
  const auto with = [](const std::string& member) {
    return problems(R"({"address": "198.18.0.4:8888", "ttl": "5s", )" + member + "}");
  };
  EXPECT_EQ(with(R"("weight": "100")"), (std::vector<std::string>{"weight: is a string, must be an integer (0-1000)"}));
  for (const char* bad :
       {R"("weight": 1.5)", R"("weight": null)", R"("weight": [1])", R"("weight": {})", R"("weight": true)",
        R"("weight": 18446744073709551615)", R"("weight": 1e99)", R"("public": 1)", R"("max_connections": 1000000001)"}) {
    EXPECT_EQ(with(bad).size(), 1U) << bad;
  }
  for (const char* bad : {R"({"address": "127.0.0.1:80", "ttl": "5s"})", R"({"address": "198.18.0.4", "ttl": "5s"})",
                          R"({"address": "198.18.0.4:80", "ttl": 5})", R"({"address": "198.18.0.4:80", "ttl": "3601s"})"}) {
    EXPECT_EQ(problems(bad).size(), 1U) << bad;
  }
}

TEST(Registration, BodiesThatAreNoObjects) {
  for (const char* body : {"", "{", "[]", "7", "null", "\"x\"", "{\"address\":}", "{} {}", "\xff\xfe", "{'address': 1}"}) {
    EXPECT_EQ(problems(body).size(), 1U) << body;
  }
  EXPECT_EQ(problems(std::string(100'000, '[')).size(), 1U);
  EXPECT_EQ(problems("{}").size(), 2U);
}

TEST(Registration, WhatIsWrittenIsReadBackTheSame) {
  for (const char* body :
       {R"({"address": "198.18.0.4:8888", "ttl": "5s"})", R"({"address": "[2001:db8::1]:1", "ttl": "5001ms"})",
        R"({"address": "198.18.0.4:65535", "ttl": "1h", "weight": 1000, "max_connections": 1000000000, "public": "x"})"}) {
    const auto registration = parse_registration(body);
    ASSERT_TRUE(registration) << registration.error().front();
    EXPECT_EQ(read_registration(to_json(*registration)), *registration);
  }
}

TEST(Registration, NamesAreThoseOfTheConfiguration) {
  EXPECT_TRUE(check_backend_name("erlang-4"));
  EXPECT_TRUE(check_backend_name(std::string(32, 'a')));
  for (const std::string& name :
       {std::string(), std::string(33, 'a'), std::string("Erlang"), std::string("a.b"), std::string("a b")}) {
    EXPECT_FALSE(check_backend_name(name)) << name;
  }
}

}  // namespace
}  // namespace wsl4::service
