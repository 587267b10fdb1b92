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

void KernelFeed::done(std::uint64_t number, std::span<const Flow> refused) {
  for (const auto& flow : refused) {
    if (const auto key = find_key(store_.dictionary(), flow)) refused_.mark(*key, 0);
    ++refusals_;
  }
  owed_.acknowledge(number);
}

void KernelFeed::retry(std::uint64_t stamp) {
  while (const auto taken = refused_.take(0)) owed_.mark(taken->key, stamp);
  refused_.acknowledge(0);
}

}  // namespace wsl4::sync
