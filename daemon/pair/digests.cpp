#include "daemon/pair/digests.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/config/schema.h"
#include "daemon/pair/hash.h"

namespace wsl4::pair {
namespace {

using config::Section;
using config::Setting;
using config::Source;

constexpr std::string_view kSharedOfPair[] = {"election", "virtual_router_id", "advert_interval", "preempt", "virtual_mac"};
/// Of pools and services: the other node's card may have another name.
constexpr std::string_view kOwn = "interface";

/// Everything as it is when nothing is set.
struct Defaults {
  config::Config config;
  config::Pool pool;
  config::Service service;
  config::Backend backend;
  Source source{&config, &pool, &service, &backend};
  Defaults() { config.ha.emplace(); }
};

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::ranges::sort(texts);
  return texts;
}

/// The canonical text of sections and their settings.
class Printer {
 public:
  /// The values as one text, in the order of that text.
  [[nodiscard]] static std::string values(const Setting& setting, const Source& source) {
    std::vector<std::string> texts;
    for (const auto& value : setting.field.load(source)) texts.push_back(config::format_value(setting, value));
    return fmt::format("{}", fmt::join(sorted(std::move(texts)), " "));
  }

  /// Lines "key=values" of a section and the ones that stand once within it.
  [[nodiscard]] std::vector<std::string> lines(const Section& section, const Source& source, const std::string& prefix = {}) const {
    std::vector<std::string> all;
    for (const Setting& setting : section.settings) {
      if (setting.key == kOwn || setting.field.load(source) == setting.field.load(defaults_.source)) continue;
      all.push_back(fmt::format("{}{}={}\n", prefix, setting.key, values(setting, source)));
    }
    for (const Section* inner : section.sections) {
      if (inner->repeated) continue;
      for (auto& line : lines(*inner, source, fmt::format("{}{}.", prefix, inner->name))) all.push_back(std::move(line));
    }
    return all;
  }

  [[nodiscard]] std::string text(const Section& section, const Source& source) const {
    return fmt::format("{}", fmt::join(sorted(lines(section, source)), ""));
  }

 private:
  Defaults defaults_;
};

std::string text_of(const Printer& printer, const config::Config& config, const config::Service& service) {
  const Section& section = *config::schema().section("service");
  std::vector<std::string> backends;
  for (const auto& backend : service.backends) {
    const Source source{&config, nullptr, &service, &backend};
    backends.push_back("[backend]\n" + printer.text(*section.section("backend"), source));
  }
  const Source source{&config, nullptr, &service, nullptr};
  return printer.text(section, source) + fmt::format("{}", fmt::join(sorted(std::move(backends)), ""));
}

void add(std::vector<sync::KeyDigest>& digests, std::string name, std::string_view text, bool required = false) {
  digests.push_back({std::move(name), hash(text), required});
}

}  // namespace

std::vector<sync::KeyDigest> config_digests(const config::Config& config) {
  const Section& schema = config::schema();
  const Printer printer;
  std::vector<sync::KeyDigest> digests;
  if (config.ha) {
    for (const auto key : kSharedOfPair) {
      const bool by_vrrp = config.ha->election == config::Election::kVrrp;
      const bool required = key == "election" || (key == "virtual_router_id" && by_vrrp);
      add(digests, fmt::format("ha.{}", key), Printer::values(*schema.section("ha")->setting(key), {&config}), required);
    }
  }
  for (const Setting& setting : schema.section("addresses")->settings) {
    add(digests, fmt::format("addresses.{}", setting.key), Printer::values(setting, {&config}));
  }
  for (const auto& pool : config.pools) {
    add(digests, "pool." + pool.name, printer.text(*schema.section("pool"), {&config, &pool}));
  }
  for (const auto& service : config.services) add(digests, "service." + service.name, text_of(printer, config, service));
  return digests;
}

}  // namespace wsl4::pair
