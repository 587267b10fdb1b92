// What this node's kernel has to be told of flows that came from the peer: in batches, each flow once however often it changed
// meanwhile, and again later where the kernel refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sync/flow_store.h"
#include "sync/owed.h"

namespace wsl4::sync {

struct Operation {
  enum class Kind : std::uint8_t {
    kUpsert,  // the kernel shall have the flow just so; it may have it already, or an older one with the same original or reply tuple
    kErase    // it shall have none; only client, VIP and protocol are filled in
  };
  Kind kind = Kind::kUpsert;
  Flow flow;
};

/// Operations on different flows: their order does not matter.
struct Batch {
  std::uint64_t number = 0;
  std::vector<Operation> operations;
};

class KernelFeed {
 public:
  explicit KernelFeed(const FlowStore& store, Dictionary& dictionary) : store_(store), owed_(dictionary), refused_(dictionary) {}

  /// The flow has come, changed or gone. `stamp` as in owed.h.
  void mark(const FlowKey& key, std::uint64_t stamp) { owed_.mark(key, stamp); }

  /// At most `limit` operations, the oldest first. Several batches may be under way.
  [[nodiscard]] Batch take(std::size_t limit);
  /// The kernel has this batch and those before it, but for the flows that it refused.
  void done(std::uint64_t number, std::span<const Flow> refused);
  /// Nobody knows what the kernel has of the batches under way: they are taken again.
  void unknown() { owed_.requeue(); }
  /// What was refused is tried again.
  void retry(std::uint64_t stamp);

  /// No stamp of what the kernel does not have is lower, what it refused left aside. nullopt: it has all.
  [[nodiscard]] std::optional<std::uint64_t> oldest() const { return owed_.oldest(); }
  [[nodiscard]] std::size_t pending() const { return owed_.waiting() + owed_.in_flight() + refused_.waiting(); }
  [[nodiscard]] std::size_t refused() const { return refused_.waiting(); }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }  // ever

 private:
  const FlowStore& store_;
  Owed owed_, refused_;
  std::uint64_t batches_ = 0, refusals_ = 0;
};

}  // namespace wsl4::sync
