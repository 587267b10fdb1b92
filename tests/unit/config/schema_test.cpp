#include "daemon/config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "daemon/config/document.h"
#include "tests/support/config_room.h"

namespace wsl4::config {
namespace {

using Room = test::ConfigRoom;

/// What the file would hold, read as the setting wants it.
std::vector<Value> values_of(const Setting& setting, std::string_view text) {
  const auto document = parse_document("x = " + std::string(text));
  EXPECT_TRUE(document) << setting.key;
  const Item& item = document->find("x")->item;
  std::vector<Value> values;
  const auto add = [&](const Item& one) {
    const auto value = read_value(setting, one);
    EXPECT_TRUE(value) << setting.key << ": " << (value ? "" : value.error());
    if (value) values.push_back(*value);
  };
  if (!setting.list) add(item);
  if (setting.list) {
    for (const Item& one : std::get<List>(item.value).items) add(one);
  }
  return values;
}

TEST(Schema, DefaultsAreThoseOfTheConfig) {
  for (const auto& [key, section, setting] : all_settings()) {
    Room room;
    EXPECT_TRUE(setting->field.is_default(room.target)) << key;
    if (setting->default_text.empty()) continue;
    for (const Value& value : values_of(*setting, setting->default_text)) setting->field.store(room.target, value);
    EXPECT_TRUE(setting->field.is_default(room.target)) << key << " = " << setting->default_text;
  }
}

TEST(Schema, ExamplesAreValidAndReachTheConfig) {
  for (const auto& [key, section, setting] : all_settings()) {
    Room room;
    for (const Value& value : values_of(*setting, setting->example)) setting->field.store(room.target, value);
    const bool shows_default = setting->example == setting->default_text;
    EXPECT_EQ(setting->field.is_default(room.target), shows_default) << key << " = " << setting->example;
  }
}

TEST(Schema, EverySettingIsDescribed) {
  std::set<std::string> keys;
  for (const auto& [key, section, setting] : all_settings()) {
    EXPECT_TRUE(keys.insert(key).second) << key;
    EXPECT_THAT(std::string(setting->help), testing::EndsWith(".")) << key;
    EXPECT_FALSE(allowed(*setting).empty()) << key;
    const bool has_default = !setting->default_text.empty() || !setting->default_words.empty();
    EXPECT_NE(setting->required, has_default) << key;
    EXPECT_EQ(setting->type == Type::kChoice, !setting->choices.empty()) << key;
  }
}

TEST(Schema, OnlyTablesThatStandOnceNeedARestart) {
  for (const auto& [key, section, setting] : all_settings()) {
    if (setting->effect == Effect::kRestart) { EXPECT_NE(setting->field.same, nullptr) << key; }
  }
}

TEST(Schema, SettingsAreFoundByName) {
  EXPECT_EQ(schema().section("none"), nullptr);
  const Section* service = schema().section("service");
  ASSERT_NE(service, nullptr);
  EXPECT_TRUE(service->repeated);
  ASSERT_NE(service->setting("listen"), nullptr);
  EXPECT_EQ(service->setting("backend"), nullptr);
  ASSERT_NE(service->section("backend"), nullptr);
  EXPECT_EQ(service->section("backend")->setting("weight")->max, 1000);
}

TEST(Schema, HasEverySettingOfTheContract) {
  std::vector<std::string> keys;
  for (const auto& named : all_settings()) keys.push_back(named.key);
  EXPECT_THAT(keys, testing::UnorderedElementsAre(
                        "node.name", "node.state_dir", "node.log_level", "node.ct_mark_mask", "control.socket", "control.listen",
                        "control.register", "control.token_file", "control.tls_certificate", "control.tls_key", "ha.listen",
                        "ha.peer", "ha.key_file", "ha.election", "ha.interface", "ha.virtual_router_id", "ha.priority",
                        "ha.advert_interval", "ha.unicast_peer", "ha.preempt", "ha.virtual_mac", "ha.track", "ha.hooks.active",
                        "ha.hooks.standby", "addresses.manage", "addresses.extra", "pool.name", "pool.addresses", "pool.ports",
                        "pool.interface", "service.name", "service.protocol", "service.listen", "service.interface",
                        "service.scheduler", "service.mode", "service.pool", "service.idle_timeout", "service.on_backend_down",
                        "service.slow_start", "service.client_limits.connections", "service.client_limits.rate",
                        "service.discovery", "service.health.type", "service.health.path", "service.health.host",
                        "service.health.expect", "service.health.tls_verify", "service.health.interval", "service.health.timeout",
                        "service.health.rise", "service.health.fall", "service.backend.name", "service.backend.address",
                        "service.backend.weight", "service.backend.max_connections", "service.backend.public"));
}

}  // namespace
}  // namespace wsl4::config
