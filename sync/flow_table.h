// Flows by their original tuple, in 4,096 buckets with a digest each. Two tables, on two nodes, hold the same flows exactly if
// their digests are equal.
//
// 44 bytes a flow, stored in maps that double when they are 7/8 full: 52 to 104 bytes a flow, and 250 KiB for an empty table. Each
// bucket is a map of its own, so that a bucket can be walked, and no insertion ever moves more than a bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "sync/record.h"

namespace wsl4::sync {

inline constexpr std::size_t kBuckets = 4096;

class FlowTable {
 public:
  explicit FlowTable(Dictionary& dictionary) : dictionary_(dictionary), buckets_(kBuckets), digests_(kBuckets) {}
  ~FlowTable() { clear(); }
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  /// Takes references of its own. True if the flow is new, or anything but its timeout is.
  bool put(const Record& record);
  /// True if there was one.
  bool erase(const FlowKey& key);
  void clear();
  /// Valid until the table changes.
  [[nodiscard]] const FlowValue* find(const FlowKey& key) const;
  [[nodiscard]] bool contains(const FlowKey& key) const { return find(key) != nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Takes over the flows of a table of the same dictionary that has none of this one's; leaves it empty. Takes as long as the
  /// smaller one has flows.
  void absorb(FlowTable& other);

  /// Equal on all nodes.
  [[nodiscard]] std::uint16_t bucket_of(const FlowKey& key) const;
  /// Exclusive or of the content hashes of the bucket's flows.
  [[nodiscard]] std::uint64_t digest(std::size_t bucket) const { return digests_[bucket]; }
  [[nodiscard]] std::size_t size_of(std::size_t bucket) const { return buckets_[bucket].size(); }
  /// Calls `visit(const Record&)` for each; it must not change the table.
  template <class Visit>
  void for_each_in(std::size_t bucket, Visit visit) const {
    for (const auto& [key, value] : buckets_[bucket]) visit(Record{key, value});
  }

 private:
  Dictionary& dictionary_;
  std::vector<boost::unordered_flat_map<FlowKey, FlowValue, FlowKeyHash>> buckets_;
  std::vector<std::uint64_t> digests_;
  std::size_t size_ = 0;
};

}  // namespace wsl4::sync
