#include "daemon/config/schema.h"

#include <algorithm>

#include "daemon/config/schema_sections.h"

namespace wsl4::config {
namespace {

constexpr const Section* kSections[] = {&kNodeSection,      &kControlSection, &kHaSection,
                                        &kAddressesSection, &kPoolSection,    &kServiceSection};
constexpr Section kRoot = {.sections = kSections};

void collect(const Section& section, const std::string& prefix, std::vector<NamedSetting>& out) {
  for (const Setting& setting : section.settings) out.push_back({prefix + std::string(setting.key), &section, &setting});
  for (const Section* inner : section.sections) collect(*inner, prefix + std::string(inner->name) + '.', out);
}

}  // namespace

const Setting* Section::setting(std::string_view key) const {
  const auto found = std::find_if(settings.begin(), settings.end(), [&](const Setting& one) { return one.key == key; });
  return found == settings.end() ? nullptr : &*found;
}

const Section* Section::section(std::string_view key) const {
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const Section* one) { return one->name == key; });
  return found == sections.end() ? nullptr : *found;
}

const Section& schema() { return kRoot; }

std::vector<NamedSetting> all_settings() {
  std::vector<NamedSetting> out;
  collect(kRoot, "", out);
  return out;
}

}  // namespace wsl4::config
