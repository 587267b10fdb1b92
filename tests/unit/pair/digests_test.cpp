#include "daemon/pair/digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "daemon/config/document.h"
#include "daemon/config/load.h"
#include "daemon/config/schema.h"
#include "daemon/config/validate_pools.h"
#include "tests/support/config_room.h"

namespace wsl4::pair {
namespace {

using config::Setting;
using config::Value;
using sync::KeyDigest;
using testing::ElementsAre;
using testing::IsEmpty;

/// Names of digests that are not equal.
std::set<std::string> differing(const config::Config& one, const config::Config& two) {
  std::map<std::string, std::uint64_t> digests;
  for (const auto& key : config_digests(one)) digests[key.name] = key.digest;
  std::set<std::string> names;
  for (const auto& key : config_digests(two)) {
    if (const auto found = digests.find(key.name); found == digests.end() || found->second != key.digest) names.insert(key.name);
  }
  return names;
}

struct Room : test::ConfigRoom {
  const config::Config& finished() {
    config::Findings findings;
    if (!draft.pool_ranges[0].empty()) std::ignore = config::expand_pools(draft, findings);
    return draft.config;
  }
};

/// A value that is allowed and not the default: the last choice, the largest number, or the example, but another text or number.
Value another_value(const Setting& setting) {
  switch (setting.type) {
    case config::Type::kBoolean:
      return setting.default_text != "true";
    case config::Type::kInteger:
      return setting.max;
    case config::Type::kDuration:
      return std::chrono::milliseconds(setting.max);
    case config::Type::kChoice:
      return config::ChoiceIndex{setting.choices.size() - 1};
    case config::Type::kPorts:
      return config::NumberRange{7, 9};
    default: {
      const auto document = config::parse_document("x = " + std::string(setting.example)).value();
      const auto& item = document.find("x")->item;
      auto value = config::read_value(setting, setting.list ? std::get<config::List>(item.value).items[0] : item).value();
      if (auto* text = std::get_if<std::string>(&value)) *text += "x";
      if (auto* number = std::get_if<std::int64_t>(&value)) *number /= 2;
      return value;
    }
  }
}

/// The digest that a setting belongs to; empty: it is the node's own.
std::string digest_of(const std::string& key) {
  static const std::set<std::string> kOwn{"ha.listen",        "ha.peer",         "ha.key_file",      "ha.interface",
                                          "ha.priority",      "ha.unicast_peer", "ha.track",         "ha.hooks.active",
                                          "ha.hooks.standby", "pool.interface",  "service.interface"};
  if (kOwn.contains(key) || key.starts_with("node.") || key.starts_with("control.")) return {};
  if (key == "pool.name" || key == "service.name") return key.substr(0, key.find('.')) + (key == "pool.name" ? ".mainx" : ".chatx");
  if (key.starts_with("pool.")) return "pool.";
  if (key.starts_with("service.")) return "service.";
  return key;
}

TEST(ConfigDigests, EverySettingIsComparedOrTheNodesOwn) {
  for (const auto& [key, section, setting] : config::all_settings()) {
    Room before, after;
    setting->field.store(after.target, another_value(*setting));
    ASSERT_FALSE(setting->field.is_default(after.target)) << key;
    std::set<std::string> expected{digest_of(key)};
    expected.erase("");
    EXPECT_EQ(differing(before.finished(), after.finished()), expected) << key << ": compare it, or name it as the node's own";
  }
}

/// Fails to compile when a member is added: give it a setting, which the test above then asks for.
TEST(ConfigDigests, EveryMemberHasASetting) {
  const auto& [service, protocol, listen, interface, scheduler, mode, pool_of, idle, on_down, slow_start, connections, rate,
               discovery, health, backends] = config::Service{};
  const auto& [pool, addresses, port_min, port_max, pool_interface] = config::Pool{};
  const auto& [backend, address, weight, max_connections, public_address] = config::Backend{};
  const auto& [type, path, host, expect_min, expect_max, tls_verify, interval, timeout, rise, fall] = config::Health{};
  EXPECT_TRUE(service.empty() && pool.empty() && backend.empty() && host.empty());
}

constexpr const char* kOneOrder = R"(
[addresses]
manage = false
[[pool]]
name = "main"
addresses = ["198.51.100.16-198.51.100.19", "198.51.100.40"]
[[service]]
name = "chat"
listen = ["203.0.113.10:443", "203.0.113.11:443"]
idle_timeout = "60m"
client_limits.rate = 5
[service.health]
type = "http"
path = "/up"
[[service.backend]]
address = "198.51.100.101:8888"
weight = 7
[[service.backend]]
address = "198.51.100.102:8888"
[[service]]
name = "mail"
listen = ["203.0.113.10:25"]
[[service.backend]]
address = "198.51.100.103:25"
)";
constexpr const char* kAnotherOrder = R"(
[node]
name = "another"
[[service]]
listen = ["203.0.113.10:25"]
name = "mail"
pool = "main"
interface = "eth7"
[[service.backend]]
address = "198.51.100.103:25"
[[service]]
client_limits.rate = 5
idle_timeout = "1h"
listen = ["203.0.113.11:443", "203.0.113.10:443"]
name = "chat"
[[service.backend]]
address = "198.51.100.102:8888"
weight = 100
[[service.backend]]
weight = 7
address = "198.51.100.101:8888"
[service.health]
path = "/up"
expect = "200-399"
type = "http"
[[pool]]
addresses = ["198.51.100.40", "198.51.100.16/30"]
interface = "eth1"
ports = "1-65535"
name = "main"
[addresses]
manage = false
)";

config::Config parsed(const char* text) {
  const auto config = config::parse(text, "test");
  if (!config) throw std::runtime_error(config.error().front().message());
  return *config;
}

TEST(ConfigDigests, TheOrderOfTheFileAndItsWordsMakeNoDifference) {
  const auto one = parsed(kOneOrder), two = parsed(kAnotherOrder);
  EXPECT_THAT(differing(one, two), IsEmpty());
  EXPECT_THAT(differing(two, one), IsEmpty());
}

TEST(ConfigDigests, NameWhatDiffers) {
  const auto one = parsed(kOneOrder);
  auto two = one;
  two.services[0].backends[1].weight = 8;
  two.addresses.manage = true;
  EXPECT_THAT(differing(one, two), ElementsAre("addresses.manage", "service.chat"));
  two = one;
  two.pools[0].addresses.pop_back();
  two.services.emplace_back(two.services[0]).name = "more";
  EXPECT_THAT(differing(one, two), ElementsAre("pool.main", "service.more"));
  two = one;
  std::swap(two.services[0].backends[0].weight, two.services[0].backends[1].weight);
  EXPECT_THAT(differing(one, two), ElementsAre("service.chat"));
}

std::vector<std::string> names(const std::vector<KeyDigest>& digests, bool required) {
  std::vector<std::string> names;
  for (const auto& key : digests) {
    if (!required || key.required) names.push_back(key.name);
  }
  return names;
}

TEST(ConfigDigests, RequireWhatTheElectionNeeds) {
  auto config = parsed(kOneOrder);
  config.ha.emplace();
  EXPECT_THAT(names(config_digests(config), true), ElementsAre("ha.election", "ha.virtual_router_id"));
  config.ha->election = config::Election::kExternal;
  EXPECT_THAT(names(config_digests(config), true), ElementsAre("ha.election"));
}

TEST(ConfigDigests, StandInAnOrderThatLeavesTheServicesForTheEnd) {
  auto config = parsed(kOneOrder);
  config.ha.emplace();
  EXPECT_THAT(names(config_digests(config), false),
              ElementsAre("ha.election", "ha.virtual_router_id", "ha.advert_interval", "ha.preempt", "ha.virtual_mac",
                          "addresses.manage", "addresses.extra", "pool.main", "service.chat", "service.mail"));
}

TEST(ConfigDigests, AreTheSameOnEveryMachineAndInEveryVersion) {
  config::Config config;
  config.pools.emplace_back().name = "main";
  config.pools[0].addresses = {netlink::IpAddress::parse("198.51.100.16").value()};
  EXPECT_EQ(config_digests(config).back(), (KeyDigest{"pool.main", 0xfe04077eef1b4c9e, false}));
}

}  // namespace
}  // namespace wsl4::pair
