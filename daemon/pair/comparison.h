// Compares what a dump of the kernel's table shows with what a session holds. Pure; the pair's thread calls it.
//
// While a dump runs, flows come and go. One that an event shows counts as shown; one that ends is neither in the session nor shown
// later (flows/observer.h). What an operation under way touches is left to the next comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "sync/flow_store.h"

namespace wsl4::pair {

/// What a flow is known by: client, VIP and protocol.
[[nodiscard]] std::uint64_t hash_of(const sync::Flow& flow);

class Comparison {
 public:
  /// Operations on these flows are under way.
  void begin(const std::vector<sync::Flow>& under_way);
  void abandon() { running_ = false; }
  [[nodiscard]] bool running() const { return running_; }

  void touch(const sync::Flow& flow);
  /// The dump shows it, or an event.
  void see(const sync::Flow& flow);

  /// Flows of `store` that the dump did not show, of at most `buckets` buckets at a time. Call it until `finished`.
  [[nodiscard]] std::vector<sync::Flow> missing(const sync::FlowStore& store, std::size_t buckets);
  [[nodiscard]] bool finished() const { return next_bucket_ == sync::kBuckets; }
  [[nodiscard]] bool is_touched(const sync::Flow& flow) const { return touched_.contains(hash_of(flow)); }

 private:
  bool running_ = false;
  std::size_t next_bucket_ = 0;
  boost::unordered_flat_set<std::uint64_t> seen_, touched_;
};

}  // namespace wsl4::pair
