// The installed example and the man page: both hold every setting, and what they show is what the parser takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "daemon/config/load.h"
#include "daemon/config/man.h"
#include "daemon/config/schema.h"

namespace wsl4::config {
namespace {

using testing::HasSubstr;

std::vector<std::string> example_lines() {
  std::ifstream file(WSL4_SOURCE_DIR "/packaging/wsl4.toml");
  EXPECT_TRUE(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + '\n';
  return out;
}

/// How a line of the example begins: "#setting" of this version, "##setting" of a later one, "# words".
enum class Kind { kBlank, kWords, kSetting, kLater };
Kind kind_of(const std::string& line) {
  if (line.empty()) return Kind::kBlank;
  const auto hashes = line.find_first_not_of('#');
  if (hashes == std::string::npos || line[hashes] == ' ') return Kind::kWords;
  return hashes == 1 ? Kind::kSetting : Kind::kLater;
}

std::string key_of(const std::string& setting) { return setting.substr(0, setting.find(' ')); }

/// The example with its settings uncommented; one of a later version replaces that of the same name in its table.
std::string uncommented(bool later) {
  std::vector<std::string> out;
  std::size_t table = 0;
  for (const auto& line : example_lines()) {
    const Kind kind = kind_of(line);
    if (kind != Kind::kSetting && (kind != Kind::kLater || !later)) continue;
    const auto setting = line.substr(line.find_first_not_of('#'));
    if (setting.front() == '[') table = out.size();
    const auto same = std::find_if(out.begin() + static_cast<std::ptrdiff_t>(table), out.end(),
                                   [&](const auto& one) { return key_of(one) == key_of(setting); });
    if (same != out.end() && setting.front() != '[') out.erase(same);
    out.push_back(setting);
  }
  return joined(out);
}

TEST(Example, IsAllCommentAsInstalled) {
  for (const auto& line : example_lines()) EXPECT_TRUE(line.empty() || line.front() == '#') << line;
  const auto config = parse(joined(example_lines()), "f");
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->services.empty());
}

TEST(Example, UncommentedIsAValidNode) {
  const auto config = parse(uncommented(false), "f");
  ASSERT_TRUE(config) << config.error()[0].message();
  ASSERT_EQ(config->services.size(), 1U);
  EXPECT_EQ(config->services[0].backends.size(), 3U);
}

TEST(Example, LaterSettingsAreOnlyNotAvailable) {
  const auto config = parse(uncommented(true), "f");
  ASSERT_FALSE(config);
  for (const Problem& problem : config.error())
    EXPECT_THAT(problem.what, HasSubstr("is not available in this version")) << problem.message();
  std::size_t later = 0;
  for (const auto& named : all_settings()) later += named.setting->missing.empty() ? 0 : 1;
  EXPECT_EQ(config.error().size(), later) << "each of them is shown";
}

TEST(Example, HoldsEverySetting) {
  std::string section;
  std::vector<std::string> shown;
  for (const auto& line : example_lines()) {
    const Kind kind = kind_of(line);
    if (kind != Kind::kSetting && kind != Kind::kLater) continue;
    const auto setting = line.substr(line.find_first_not_of('#'));
    const auto inner = setting.find_first_not_of('[');
    if (inner > 0) {
      section = setting.substr(inner, setting.find(']') - inner) + '.';
    } else {
      shown.push_back(section + key_of(setting));
    }
  }
  for (const auto& named : all_settings()) EXPECT_THAT(shown, testing::Contains(named.key));
}

TEST(ManPage, DescribesEverySetting) {
  const auto page = man_page("1.2.3", "#name = \"x\"\n.TH\n");
  EXPECT_THAT(page, testing::StartsWith(".\\\""));
  EXPECT_THAT(page, HasSubstr("\"wsl4 1.2.3\""));
  for (const auto& [key, section, setting] : all_settings()) {
    const auto name = section->dotted ? std::string(section->name) + "." + std::string(setting->key) : std::string(setting->key);
    EXPECT_THAT(page, HasSubstr(".TP\n.B " + name + "\n")) << key;
  }
  EXPECT_THAT(page, HasSubstr(".SH \"[[service.backend]]\"\n"));
  EXPECT_THAT(page, HasSubstr("A change takes a restart.\n"));
  EXPECT_THAT(page, HasSubstr("not available in this version (no virtual MAC address yet).\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.TH\n")) << "the example's text is no macro";
}

}  // namespace
}  // namespace wsl4::config
