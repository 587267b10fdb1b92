#include "daemon/service/version_vector.h"

#include <algorithm>

namespace wsl4::service {

void VersionVector::count(const std::string& node, std::int64_t milliseconds) {
  auto& version = versions_[node];
  version = std::max(version + 1, milliseconds);
}

void VersionVector::merge(const VersionVector& other) {
  for (const auto& [node, theirs] : other.versions_) {
    auto& version = versions_[node];
    version = std::max(version, theirs);
  }
}

bool VersionVector::covers(const VersionVector& other) const {
  return std::ranges::all_of(other.versions_, [this](const auto& item) {
    const auto place = versions_.find(item.first);
    return place != versions_.end() && place->second >= item.second;
  });
}

VersionVector::Order VersionVector::compare(const VersionVector& other) const {
  if (covers(other)) return other.covers(*this) ? Order::kEqual : Order::kNewer;
  return other.covers(*this) ? Order::kOlder : Order::kConcurrent;
}

}  // namespace wsl4::service
