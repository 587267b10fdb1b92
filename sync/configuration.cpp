#include "sync/configuration.h"

#include <algorithm>
#include <map>

namespace wsl4::sync {

Differences compare(const std::vector<KeyDigest>& ours, const std::vector<KeyDigest>& theirs) {
  struct Sides {
    std::optional<std::uint64_t> ours, theirs;
    bool required = false;
  };
  std::map<std::string, Sides> keys;
  for (const auto& key : ours) {
    keys[key.name].ours = key.digest;
    keys[key.name].required |= key.required;
  }
  for (const auto& key : theirs) {
    keys[key.name].theirs = key.digest;
    keys[key.name].required |= key.required;
  }
  Differences differences;
  for (const auto& [name, sides] : keys) {
    if (sides.ours == sides.theirs) continue;
    differences.keys.push_back(name);
    if (sides.required) differences.required.push_back(name);
  }
  return differences;
}

std::optional<std::uint16_t> common_version(const Versions& ours, const Versions& theirs) {
  const auto highest = std::min(ours.highest, theirs.highest);
  if (highest < std::max(ours.lowest, theirs.lowest)) return {};
  return highest;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace wsl4::sync
