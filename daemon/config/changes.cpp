#include "daemon/config/changes.h"

#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/config/schema.h"

namespace wsl4::config {
namespace {

template <class Named>
using ByName = boost::unordered_flat_map<std::string_view, const Named*>;

template <class Named>
ByName<Named> by_name(const std::vector<Named>& list) {
  ByName<Named> named(list.size());
  for (const auto& one : list) named.emplace(one.name, &one);
  return named;
}

/// The names of what is not equal on both sides.
template <class Named>
std::set<std::string> differing(const std::vector<Named>& left, const std::vector<Named>& right) {
  std::set<std::string> names;
  auto others = by_name(left);
  for (const auto& one : right) {
    const auto other = others.find(one.name);
    if (other == others.end() || *other->second != one) names.insert(one.name);
    if (other != others.end()) others.erase(other);
  }
  for (const auto& [name, gone] : others) names.emplace(name);
  return names;
}

}  // namespace

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

std::set<std::string> changed_services(const Config& running, const Config& loaded) {
  auto changed = differing(running.services, loaded.services);
  const auto pools = differing(running.pools, loaded.pools);
  if (pools.empty()) return changed;
  for (const auto& service : loaded.services)
    if (pools.contains(service.pool)) changed.insert(service.name);
  return changed;
}

}  // namespace wsl4::config
