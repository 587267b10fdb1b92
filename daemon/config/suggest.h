// "Did you mean": the nearest of a few words. Pure.
#pragma once

#include <span>
#include <string_view>

namespace wsl4::config {

/// `words` are in lower case; `text` may be in any. The word with the fewest edits (insert, delete, replace, swap of neighbours)
/// from `text`; empty if all are further away than a third of its length, at least one and at most three edits.
[[nodiscard]] std::string_view nearest(std::string_view text, std::span<const std::string_view> words);

}  // namespace wsl4::config
