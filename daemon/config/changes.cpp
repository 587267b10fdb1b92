#include "daemon/config/changes.h"

#include "daemon/config/schema.h"

namespace wsl4::config {

std::vector<std::string> restart_changes(const Config& running, const Config& loaded) {
  std::vector<std::string> changed;
  const bool pair_changed = running.ha.has_value() != loaded.ha.has_value();
  if (pair_changed) changed.emplace_back("ha");
  for (const auto& [key, section, setting] : all_settings()) {
    if (setting->effect != Effect::kRestart || setting->field.same == nullptr) continue;
    const bool in_pair = key.compare(0, 3, "ha.") == 0;
    if (in_pair && pair_changed) continue;
    if (!setting->field.same(running, loaded)) changed.push_back(key);
  }
  return changed;
}

}  // namespace wsl4::config
