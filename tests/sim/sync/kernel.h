// Connection tracking of a simulated node: flows by their original tuple, reply tuples unique as in the kernel.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "sync/flow.h"

namespace wsl4::pair_sim {

/// Protocol and two ends, packed.
using Tuple = std::array<char, 37>;

struct TupleHash {
  std::size_t operator()(const Tuple& tuple) const { return std::hash<std::string_view>{}({tuple.data(), tuple.size()}); }
};

inline Tuple pack(sync::Protocol protocol, const sync::Endpoint& from, const sync::Endpoint& to) {
  Tuple tuple;
  tuple[0] = static_cast<char>(protocol);
  std::memcpy(tuple.data() + 1, from.address.bytes.data(), 16);
  std::memcpy(tuple.data() + 17, to.address.bytes.data(), 16);
  std::memcpy(tuple.data() + 33, &from.port, 2);
  std::memcpy(tuple.data() + 35, &to.port, 2);
  return tuple;
}
inline Tuple original(const sync::Flow& flow) { return pack(flow.protocol, flow.client, flow.vip); }
inline Tuple reply(const sync::Flow& flow) { return pack(flow.protocol, flow.backend, flow.snat); }
/// But for the timeout.
inline bool equal(sync::Flow one, const sync::Flow& other) {
  one.timeout_s = other.timeout_s;
  return one == other;
}

class Kernel {
 public:
  using Flows = boost::unordered_flat_map<Tuple, sync::Flow, TupleHash>;

  /// As the injector does: whatever holds one of the tuples goes. Returns a flow that lost its reply tuple.
  std::optional<sync::Flow> put(const sync::Flow& flow) {
    erase(flow);
    std::optional<sync::Flow> evicted;
    if (const auto holder = replies_.find(reply(flow)); holder != replies_.end()) {
      evicted = flows_.at(holder->second);
      erase(*evicted);
    }
    flows_.emplace(original(flow), flow);
    replies_.emplace(reply(flow), original(flow));
    return evicted;
  }
  bool erase(const sync::Flow& flow) {
    const auto found = flows_.find(original(flow));
    if (found == flows_.end()) return false;
    replies_.erase(reply(found->second));
    flows_.erase(found);
    return true;
  }
  void clear() {
    flows_.clear();
    replies_.clear();
  }
  [[nodiscard]] bool has_reply(const sync::Flow& flow) const { return replies_.contains(reply(flow)); }
  [[nodiscard]] const sync::Flow* find(const sync::Flow& flow) const {
    const auto found = flows_.find(original(flow));
    return found == flows_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const Flows& flows() const { return flows_; }

 private:
  Flows flows_;
  boost::unordered_flat_map<Tuple, Tuple, TupleHash> replies_;  // reply tuple to original tuple
};

}  // namespace wsl4::pair_sim
