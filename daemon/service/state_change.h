// From one desired state to the next: the services and pools that differ, each as a whole. What follows the desired state works by
// changes, so that each costs what differs, however many services there are. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "daemon/service/desired_state.h"

namespace wsl4::service {

struct StateChange {
  using Pools = std::map<std::string, std::optional<PoolState>>;
  Pools pools;                                                  // none: it goes
  std::map<std::string, std::optional<ServiceState>> services;  // none: it goes
  friend bool operator==(const StateChange&, const StateChange&) = default;
};

/// `state` with the change made.
void make_change(DesiredState& state, StateChange change);

/// What takes `change` back when it was made in `before`.
[[nodiscard]] StateChange inverse(const StateChange& change, const DesiredState& before);

}  // namespace wsl4::service
