// The flows of a node in two tables, never one flow in both: its own, which its kernel has told of while it was active, and copies
// of the peer's. Only its own are sent, so nothing comes back to where it is from. What a node holds of its own no peer changes,
// but for one thing: an end that only the peer has seen. While the role is handed over a flow's last packets may still go through
// the node that had it, and nothing would ever tell the other one.
//
// A node that becomes active owns all that it holds, one that becomes standby nothing. Two actives own what each holds and copy the
// rest from each other, so that both have the flows of both.
#pragma once

#include "sync/flow_table.h"

namespace wsl4::sync {

class FlowStore {
 public:
  FlowStore() : own_(dictionary_), copies_(dictionary_) {}

  /// Where there is a copy with the same tuples this changes nothing: the kernel tells of what was put into it for the peer. A copy
  /// with others is given up. True if there is anything to tell the peer.
  bool put_own(const Record& record);
  bool erase_own(const FlowKey& key) { return own_.erase(key); }
  /// True if the copy is new or changed, or a flow of this node's own, with the same tuples, is closing now.
  bool put_copy(const Record& record);
  bool erase_copy(const FlowKey& key) { return copies_.erase(key); }

  void own_all() { own_.absorb(copies_); }
  void own_nothing() { copies_.absorb(own_); }

  /// In either table; nullptr: none. Valid until a table changes.
  [[nodiscard]] const FlowValue* find(const FlowKey& key) const;
  /// Of both tables together.
  [[nodiscard]] std::uint64_t digest(std::size_t bucket) const { return own_.digest(bucket) ^ copies_.digest(bucket); }
  [[nodiscard]] std::size_t size() const { return own_.size() + copies_.size(); }

  [[nodiscard]] const FlowTable& own() const { return own_; }
  [[nodiscard]] const FlowTable& copies() const { return copies_; }
  [[nodiscard]] Dictionary& dictionary() { return dictionary_; }
  [[nodiscard]] const Dictionary& dictionary() const { return dictionary_; }

 private:
  Dictionary dictionary_;
  FlowTable own_, copies_;
};

}  // namespace wsl4::sync
