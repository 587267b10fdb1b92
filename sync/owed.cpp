#include "sync/owed.h"

#include <algorithm>

namespace wsl4::sync {

void Owed::mark(const FlowKey& key, std::uint64_t stamp) {
  if (!waiting_.insert(key).second) return;
  dictionary_.retain(key.vip);
  queue_.push_back({key, stamp});
}

std::optional<Owed::Taken> Owed::take(std::uint64_t number) {
  while (!queue_.empty()) {
    const auto first = queue_.front();
    queue_.pop_front();
    if (waiting_.erase(first.key) == 0) {
      dictionary_.release(first.key.vip);
      continue;
    }
    taken_.push_back({first, number});
    return first;
  }
  return {};
}

void Owed::requeue() {
  for (; !taken_.empty(); taken_.pop_back()) {
    const auto& last = taken_.back().taken;
    waiting_.insert(last.key);
    queue_.push_front(last);
  }
}

void Owed::clear() {
  for (const auto& entry : queue_) dictionary_.release(entry.key.vip);
  for (const auto& entry : taken_) dictionary_.release(entry.taken.key.vip);
  waiting_.clear();
  queue_.clear();
  taken_.clear();
}

std::optional<std::uint64_t> Owed::oldest() const {
  std::optional<std::uint64_t> oldest;
  if (!taken_.empty()) oldest = taken_.front().taken.stamp;
  if (!waiting_.empty()) oldest = std::min(oldest.value_or(queue_.front().stamp), queue_.front().stamp);
  return oldest;
}

}  // namespace wsl4::sync
