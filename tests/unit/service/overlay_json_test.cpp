#include "daemon/service/overlay_json.h"

#include <gtest/gtest.h>

#include "tests/support/desired_states.h"

namespace wsl4::service {
namespace {

using test::endpoint;

Changes every_kind() {
  Changes changes;
  auto& chat = changes["chat"];
  chat["b4"].added = config::Backend{"b4", endpoint("198.18.2.14:80"), 7, 9, "wss://b4.example.com/ws"};
  chat["b4"].state = AdminState::kDisabled;
  chat["b1"].state = AdminState::kDraining;
  chat["b1"].evict = 20;
  chat["b1"].weight = 0;
  chat["b1"].max_connections = 0;
  changes["dns"]["198.18.2.11:53"].removed = endpoint("[2001:db8:2::11]:53");
  return changes;
}

constexpr const char* kText =
    R"({"version":1,"services":{"chat":{"b1":{"state":"draining","evict":20,"weight":0,"max_connections":0},)"
    R"("b4":{"added":{"address":"198.18.2.14:80","weight":7,"max_connections":9,"public":"wss://b4.example.com/ws"},"state":"disabled"}},)"
    R"("dns":{"198.18.2.11:53":{"removed":"[2001:db8:2::11]:53"}}},"changed_by":{"lb-a":1764208800000,"lb-b":2}})"
    "\n";

TEST(RuntimeFile, HoldsEveryKindOfChange) {
  const VersionVector versions({{"lb-a", 1764208800000}, {"lb-b", 2}});
  EXPECT_EQ(to_text(Overlay(every_kind(), versions)), kText);
  const auto read = parse_overlay(kText, "runtime.json");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->changes(), every_kind());
  EXPECT_EQ(read->versions(), versions);
  EXPECT_EQ(parse_overlay(to_text({}), "runtime.json")->changes(), Changes{});
}

TEST(RuntimeFile, WhatIsNoChangeIsNotRemembered) {
  EXPECT_EQ(parse_overlay(R"({"version":1,"services":{"chat":{"b1":{}}}})", "f")->changes(), Changes{});
}

TEST(RuntimeFile, ThatIsCutAnywhereIsAnError) {
  const std::string text = kText;
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    EXPECT_FALSE(parse_overlay(text.substr(0, length), "f")) << length;
}

TEST(RuntimeFile, ThatIsBrokenIsNamedWithWhatIsWrong) {
  struct Case {
    const char *text, *what;
  };
  for (const Case& one : {
           Case{"[]", "not of version 1"},
           Case{"{}", "not of version 1"},
           Case{R"({"version": 2, "services": {}})", "not of version 1"},
           Case{R"({"version": 1})", "services: must be an object"},
           Case{R"({"version": 1, "services": {}, "changed_by": []})", "changed_by: must be an object"},
           Case{R"({"version": 1, "services": {}, "changed_by": {"lb-a": "x"}})", "changed_by.lb-a: must be a number"},
           Case{R"({"version": 1, "services": {"chat": 5}})", "chat: must be an object"},
           Case{R"({"version": 1, "services": {"chat": {"b1": []}}})", "chat/b1: must be an object"},
           Case{R"({"version": 1, "services": {"chat": {"b1": {"weight": 1001}}}})",
                "chat/b1: weight: 1001 is out of range (0-1000)"},
           Case{R"({"version": 1, "services": {"chat": {"b1": {"added": 5}}}})", "chat/b1: added: must be an object"},
           Case{R"({"version": 1, "services": {"chat": {"b1": {"added": {"address": "198.18.2.14:80", "weight": -1}}}}})",
                "chat/b1: added.weight: -1 is out of range (0-1000)"},
           Case{R"({"version": 1, "services": {"chat": {"B 1": {"added": {"address": "198.18.2.14:80"}}}}})",
                "chat/B 1: name: \"B 1\" is not a name (a-z, 0-9 and -, at most 32 characters)"},
           Case{R"({"version": 1, "services": {"chat": {"b1": {"removed": "198.18.2.14:80", "weight": 5}}}})",
                "chat/b1: \"weight\": there is no such member (here: removed, evict)"},
       }) {
    EXPECT_EQ(
        parse_overlay(one.text, "/s/runtime.json").error(),
        std::string("/s/runtime.json is broken (") + one.what + "); it holds what was changed at run time: mend or remove it");
  }
  EXPECT_TRUE(parse_overlay("{", "/s/runtime.json").error().starts_with("/s/runtime.json is broken (not JSON: "));
}

}  // namespace
}  // namespace wsl4::service
