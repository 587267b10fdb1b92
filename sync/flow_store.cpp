#include "sync/flow_store.h"

namespace wsl4::sync {

bool FlowStore::put_own(const Record& record) {
  const auto* copy = copies_.find(record.key);
  if (copy != nullptr && same_reply_tuple(*copy, record.value)) return false;
  copies_.erase(record.key);
  return own_.put(record);
}

bool FlowStore::put_copy(const Record& record) {
  const auto* own = own_.find(record.key);
  if (own == nullptr) return copies_.put(record);
  const bool ends = (record.value.flags & ~own->flags & kClosing) != 0 && same_reply_tuple(*own, record.value);
  return ends && own_.put(record);
}

const FlowValue* FlowStore::find(const FlowKey& key) const {
  const auto* own = own_.find(key);
  return own != nullptr ? own : copies_.find(key);
}

}  // namespace wsl4::sync
