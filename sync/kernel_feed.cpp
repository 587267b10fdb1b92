#include "sync/kernel_feed.h"

namespace wsl4::sync {

Batch KernelFeed::take(std::size_t limit) {
  Batch batch{++batches_, {}};
  while (batch.operations.size() < limit) {
    const auto taken = owed_.take(batch.number);
    if (!taken) break;
    const auto* value = store_.find(taken->key);
    if (value != nullptr) {
      batch.operations.push_back({Operation::Kind::kUpsert, expand(store_.dictionary(), {taken->key, *value})});
    } else {
      batch.operations.push_back({Operation::Kind::kErase, expand(store_.dictionary(), taken->key)});
    }
  }
  return batch;
}

KernelFeed::~KernelFeed() {
  for (const auto& key : faulty_) dictionary_.release(key.vip);
}

void KernelFeed::note_fault(const FlowKey& key) {
  if (faulty_.insert(key).second) dictionary_.retain(key.vip);
}

void KernelFeed::note_success(const FlowKey& key) {
  if (faulty_.erase(key) > 0) dictionary_.release(key.vip);
}

void KernelFeed::repair(const FlowKey& key, std::uint64_t stamp) {
  ++repairs_;
  note_fault(key);
  mark(key, stamp);
}

void KernelFeed::done(std::uint64_t number, std::span<const Flow> refused, std::size_t unasked) {
  boost::unordered_flat_set<FlowKey, FlowKeyHash> refused_now;
  for (const auto& flow : refused) {
    if (const auto key = find_key(dictionary_, flow)) refused_now.insert(*key);
  }
  refusals_ += refused.size() - unasked;
  owed_.acknowledge(number, [&](const FlowKey& key) {
    if (refused_now.contains(key)) {
      note_fault(key);
    } else {
      note_success(key);
    }
  });
}

void KernelFeed::retry(std::uint64_t stamp) {
  for (const auto& key : faulty_) mark(key, stamp);
}

}  // namespace wsl4::sync
