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

/// "#setting", unlike "# words".
bool is_setting(const std::string& line) { return line.size() > 1 && line[1] != ' '; }

std::string key_of(const std::string& setting) { return setting.substr(0, setting.find(' ')); }

std::string uncommented() {
  std::vector<std::string> out;
  for (const auto& line : example_lines())
    if (is_setting(line)) out.push_back(line.substr(1));
  return joined(out);
}

TEST(Example, IsAllCommentAsInstalled) {
  for (const auto& line : example_lines()) EXPECT_TRUE(line.empty() || line.front() == '#') << line;
  const auto config = parse(joined(example_lines()), "f");
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->services.empty());
}

TEST(Example, UncommentedIsAValidNode) {
  const auto config = parse(uncommented(), "f");
  ASSERT_TRUE(config) << config.error()[0].message();
  ASSERT_EQ(config->services.size(), 1U);
  EXPECT_EQ(config->services[0].backends.size(), 3U);
}

TEST(Example, HoldsEverySetting) {
  std::string section;
  std::vector<std::string> shown;
  for (const auto& line : example_lines()) {
    if (!is_setting(line)) continue;
    const auto setting = line.substr(1);
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
  EXPECT_THAT(page, HasSubstr("\n\\&.TH\n")) << "the example's text is no macro";
}

}  // namespace
}  // namespace wsl4::config
