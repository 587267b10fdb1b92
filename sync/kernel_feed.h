// What this node's kernel has to be told of flows that came from the peer: in batches, each flow once however often it changed
// meanwhile, and again later where the kernel refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "sync/flow_store.h"
#include "sync/owed.h"

namespace wsl4::sync {

struct Operation {
  enum class Kind : std::uint8_t {
    kUpsert,  // the kernel shall have the flow just so; it may have it already, or an older one with the same original or reply
              // tuple
    kErase    // it shall have none; only client, VIP and protocol are filled in
  };
  Kind kind = Kind::kUpsert;
  Flow flow;
};

/// Operations on different flows. They are as of now: one that is applied later must be looked up again (Session::find), since the
/// kernel may have told of a newer flow meanwhile.
struct Batch {
  std::uint64_t number = 0;
  std::vector<Operation> operations;
};

class KernelFeed {
 public:
  KernelFeed(const FlowStore& store, Dictionary& dictionary) : store_(store), dictionary_(dictionary), owed_(dictionary) {}
  ~KernelFeed();
  KernelFeed(const KernelFeed&) = delete;
  KernelFeed& operator=(const KernelFeed&) = delete;

  /// The flow has come, changed or gone. `stamp` as in owed.h.
  void mark(const FlowKey& key, std::uint64_t stamp) { owed_.mark(key, stamp); }
  /// The kernel was found not to have it as it should.
  void repair(const FlowKey& key, std::uint64_t stamp);

  /// At most `limit` operations, the oldest first. Several batches may be under way.
  [[nodiscard]] Batch take(std::size_t limit);
  /// The kernel has this batch and those before it, but for the flows that it refused, or was not asked for yet.
  void done(std::uint64_t number, std::span<const Flow> refused, std::size_t unasked = 0);
  /// Nobody knows what the kernel has of the batches under way: they are taken again.
  void unknown() { owed_.requeue(); }
  /// What was refused is tried again.
  void retry(std::uint64_t stamp);

  /// No stamp of what waits or is under way is lower. nullopt: nothing is.
  [[nodiscard]] std::optional<std::uint64_t> oldest() const { return owed_.oldest(); }
  [[nodiscard]] std::size_t pending() const { return owed_.waiting() + owed_.in_flight(); }
  /// Nothing was refused, or found to be wrong, that has not been put right since.
  [[nodiscard]] bool sound() const { return faulty_.empty(); }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }  // ever
  [[nodiscard]] std::uint64_t repairs() const { return repairs_; }    // ever

 private:
  void note_fault(const FlowKey& key);
  void note_success(const FlowKey& key);

  const FlowStore& store_;
  Dictionary& dictionary_;
  Owed owed_;
  boost::unordered_flat_set<FlowKey, FlowKeyHash> faulty_;  // with references
  std::uint64_t batches_ = 0, refusals_ = 0, repairs_ = 0;
};

}  // namespace wsl4::sync
