#include "sync/flow_table.h"

#include <utility>

namespace wsl4::sync {

static_assert(sizeof(Record) == 44, "flow_table.h tells how much memory a flow takes");

std::uint16_t FlowTable::bucket_of(const FlowKey& key) const {
  return static_cast<std::uint16_t>(content_hash(dictionary_, key) % kBuckets);
}

bool FlowTable::put(const Record& record) {
  const auto bucket = bucket_of(record.key);
  const auto [found, is_new] = buckets_[bucket].try_emplace(record.key, record.value);
  const Record old{found->first, found->second};
  if (!is_new && old == record) return false;
  retain(dictionary_, record);
  if (is_new) {
    ++size_;
    digests_[bucket] ^= content_hash(dictionary_, record);
    return true;
  }
  found->second = record.value;
  const auto change = content_hash(dictionary_, old) ^ content_hash(dictionary_, record);
  digests_[bucket] ^= change;
  release(dictionary_, old);
  return change != 0;
}

bool FlowTable::erase(const FlowKey& key) {
  const auto bucket = bucket_of(key);
  auto& flows = buckets_[bucket];
  const auto found = flows.find(key);
  if (found == flows.end()) return false;
  const Record old{found->first, found->second};
  flows.erase(found);
  --size_;
  digests_[bucket] ^= content_hash(dictionary_, old);
  release(dictionary_, old);
  return true;
}

void FlowTable::clear() {
  for (std::size_t bucket = 0; bucket < kBuckets && size_ > 0; ++bucket) {
    for (const auto& [key, value] : buckets_[bucket]) release(dictionary_, Record{key, value});
    size_ -= buckets_[bucket].size();
    buckets_[bucket] = {};
    digests_[bucket] = 0;
  }
}

const FlowValue* FlowTable::find(const FlowKey& key) const {
  const auto& flows = buckets_[bucket_of(key)];
  const auto found = flows.find(key);
  return found == flows.end() ? nullptr : &found->second;
}

void FlowTable::absorb(FlowTable& other) {
  if (other.size_ > size_) {
    buckets_.swap(other.buckets_);
    digests_.swap(other.digests_);
    std::swap(size_, other.size_);
  }
  for (std::size_t bucket = 0; bucket < kBuckets && other.size_ > 0; ++bucket) {
    other.for_each_in(bucket, [this](const Record& record) { put(record); });
  }
  other.clear();
}

}  // namespace wsl4::sync
