#include "daemon/config/suggest.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace wsl4::config {
namespace {

/// Optimal string alignment distance: three rows of the table are enough.
std::size_t distance(std::string_view one, std::string_view two) {
  std::vector<std::size_t> before(two.size() + 1), above(two.size() + 1), row(two.size() + 1);
  for (std::size_t j = 0; j <= two.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= two.size(); ++j) {
      const std::size_t replace = above[j - 1] + (one[i - 1] == two[j - 1] ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && one[i - 1] == two[j - 2] && one[i - 2] == two[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[two.size()];
}

}  // namespace

std::string_view nearest(std::string_view text, std::span<const std::string_view> words) {
  constexpr std::size_t kLongest = 64;  // longer ones are no typing mistakes
  if (text.size() > kLongest) return {};
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::size_t least = std::clamp<std::size_t>(text.size() / 3, 1, 3) + 1;
  std::string_view best;
  for (const auto word : words) {
    const auto edits = distance(lower, word);
    if (edits < least) {
      least = edits;
      best = word;
    }
  }
  return best;
}

}  // namespace wsl4::config
