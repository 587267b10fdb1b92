#include "sync/configuration.h"

#include <algorithm>
#include <map>

namespace wsl4::sync {

namespace {

constexpr std::size_t wire_size(std::size_t name) { return 1 + name + sizeof(std::uint64_t) + 1; }
/// What is left when a frame takes another key for sure, and after it the one for all others.
constexpr std::size_t kRoom = kMaxPayload - 2 * wire_size(255);

/// FNV-1a: both nodes compute it, whatever their processors.
class Digest {
 public:
  void add(const KeyDigest& key) {
    for (const char letter : key.name) add(static_cast<std::uint8_t>(letter));
    add(std::uint8_t{0});
    for (unsigned shift = 0; shift < 64; shift += 8) add(static_cast<std::uint8_t>(key.digest >> shift));
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void add(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

std::vector<KeyDigest> fit(std::vector<KeyDigest> keys) {
  // clang 14 cannot take the one of std::ranges, which returns a view.
  std::stable_partition(keys.begin(), keys.end(), [](const KeyDigest& key) { return key.required; });
  std::size_t size = 0;
  const auto first_left_out = std::ranges::find_if(keys, [&size](const KeyDigest& key) {
    const bool full = size > kRoom;
    size += wire_size(key.name.size());
    return full;
  });
  if (first_left_out == keys.end()) return keys;
  std::ranges::sort(first_left_out, keys.end(), {}, &KeyDigest::name);
  Digest digest;
  std::for_each(first_left_out, keys.end(), [&digest](const KeyDigest& key) { digest.add(key); });
  keys.erase(first_left_out, keys.end());
  keys.push_back({kFurtherKeys, digest.value()});
  return keys;
}

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
