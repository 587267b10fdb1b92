// Connection tracking of a simulated node: flows by their original tuple, reply tuples unique as in the kernel.
#pragma once

#include <map>
#include <optional>
#include <tuple>

#include "sync/flow.h"

namespace wsl4::pair_sim {

using Tuple = std::tuple<sync::Protocol, std::array<std::uint8_t, 16>, std::uint16_t, std::array<std::uint8_t, 16>, std::uint16_t>;

inline Tuple original(const sync::Flow& flow) {
  return {flow.protocol, flow.client.address.bytes, flow.client.port, flow.vip.address.bytes, flow.vip.port};
}
inline Tuple reply(const sync::Flow& flow) {
  return {flow.protocol, flow.backend.address.bytes, flow.backend.port, flow.snat.address.bytes, flow.snat.port};
}
/// But for the timeout.
inline bool equal(sync::Flow one, const sync::Flow& other) {
  one.timeout_s = other.timeout_s;
  return one == other;
}

class Kernel {
 public:
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
  [[nodiscard]] const std::map<Tuple, sync::Flow>& flows() const { return flows_; }

 private:
  std::map<Tuple, sync::Flow> flows_;
  std::map<Tuple, Tuple> replies_;  // reply tuple to original tuple
};

}  // namespace wsl4::pair_sim
