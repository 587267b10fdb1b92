#include "sync/dictionary.h"

#include <algorithm>

#define XXH_INLINE_ALL  // a hash of a few bytes is not worth a call
#include <xxhash.h>

namespace wsl4::sync {

std::uint64_t content_hash(const Term& term) {
  std::array<std::uint8_t, 20> bytes{};
  std::ranges::copy(term.address.bytes, bytes.begin());
  bytes[16] = static_cast<std::uint8_t>(term.address.family);
  bytes[17] = term.protocol;
  bytes[18] = static_cast<std::uint8_t>(term.port >> 8);
  bytes[19] = static_cast<std::uint8_t>(term.port);
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::optional<TermIndex> Dictionary::acquire(const Term& term) {
  if (const auto known = find(term)) {
    retain(*known);
    return known;
  }
  if (free_.empty()) {
    if (slots_.size() == kMaxTerms) return {};
    free_.push_back(static_cast<TermIndex>(slots_.size()));
    slots_.emplace_back();
  }
  const auto index = free_.back();
  free_.pop_back();
  slots_[index] = {term, content_hash(term), 1, slots_[index].generation + 1};
  numbers_.emplace(term, index);
  return index;
}

std::optional<TermIndex> Dictionary::find(const Term& term) const {
  const auto found = numbers_.find(term);
  if (found == numbers_.end()) return {};
  return found->second;
}

void Dictionary::retain(TermIndex index) {
  if (index != kClientItself) ++slots_[index].references;
}

void Dictionary::release(TermIndex index) {
  if (index == kClientItself || --slots_[index].references > 0) return;
  numbers_.erase(slots_[index].term);
  free_.push_back(index);
}

}  // namespace wsl4::sync
