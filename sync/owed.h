// Which flows a consumer (the peer, or the kernel) has to be told of: each waits once, however often it changes, and the oldest is
// served first. Only keys are kept. What there is to tell is looked up when it is told: the flow as it is then, or that it is gone.
// So what waits is bounded by the number of flows that ever were, and a slow consumer merges changes.
//
// What was taken stays until the consumer acknowledges it, and waits again if the consumer is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include <boost/unordered/unordered_flat_set.hpp>

#include "sync/record.h"

namespace wsl4::sync {

class Owed {
 public:
  explicit Owed(Dictionary& dictionary) : dictionary_(dictionary) {}
  ~Owed() { clear(); }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;

  /// `stamp` never decreases from call to call; a flow that waits already keeps its older one. A flow that was taken and has
  /// changed since waits again.
  void mark(const FlowKey& key, std::uint64_t stamp);

  struct Taken {
    FlowKey key;
    std::uint64_t stamp = 0;
  };
  /// The oldest that waits; nullopt: none. It bears `number`, which never decreases from call to call.
  [[nodiscard]] std::optional<Taken> take(std::uint64_t number);
  /// The consumer has all that was taken with this number or a lower one; calls `visit(const FlowKey&)` for each.
  template <class Visit>
  void acknowledge(std::uint64_t number, Visit visit) {
    for (; !taken_.empty() && taken_.front().number <= number; taken_.pop_front()) {
      visit(taken_.front().taken.key);
      dictionary_.release(taken_.front().taken.key.vip);
    }
  }
  /// What was taken and not acknowledged waits again, before all others.
  void requeue();
  void clear();

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t in_flight() const { return taken_.size(); }
  [[nodiscard]] bool empty() const { return waiting_.empty() && taken_.empty(); }
  [[nodiscard]] bool waits(const FlowKey& key) const { return waiting_.contains(key); }
  /// No stamp of what waits or is in flight is lower. nullopt: nothing is owed.
  [[nodiscard]] std::optional<std::uint64_t> oldest() const;

 private:
  struct InFlight {
    Taken taken;
    std::uint64_t number = 0;
  };

  Dictionary& dictionary_;
  boost::unordered_flat_set<FlowKey, FlowKeyHash> waiting_;
  /// In the order of stamps, a reference of the dictionary for each. After a requeue a flow may stand here twice; the later entry
  /// means nothing then.
  std::deque<Taken> queue_;
  std::deque<InFlight> taken_;
};

}  // namespace wsl4::sync
