// What the two nodes say of their settings, compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sync/wire.h"

namespace wsl4::sync {

/// Names of the keys that are not the same on both sides, or only on one, in the order of their names.
struct Differences {
  std::vector<std::string> keys;
  std::vector<std::string> required;  // those of them without which the pair cannot work
};
/// As many of the keys as one frame holds (some thousands), those first that the pair requires. One more key, `kFurtherKeys`,
/// stands for all others: a difference among them is told, but not whose it is.
[[nodiscard]] std::vector<KeyDigest> fit(std::vector<KeyDigest> keys);
inline constexpr const char* kFurtherKeys = "further settings";

[[nodiscard]] Differences compare(const std::vector<KeyDigest>& ours, const std::vector<KeyDigest>& theirs);

/// The version of the wire format that both use; nullopt: none.
[[nodiscard]] std::optional<std::uint16_t> common_version(const Versions& ours, const Versions& theirs);

/// "a, b"
[[nodiscard]] std::string join(const std::vector<std::string>& names);

}  // namespace wsl4::sync
