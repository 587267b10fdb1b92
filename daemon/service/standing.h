// What the configuration does not say of a backend: how it stands by health checks and by changes at run time. Pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/service/desired_state.h"
#include "daemon/service/overlay.h"

namespace wsl4::service {

/// What health checks have found.
struct Verdict {
  bool down = false;
  std::vector<netlink::IpAddress> dead_sources;  // pool addresses that do not reach it; sorted
  friend bool operator==(const Verdict&, const Verdict&) = default;
};
using Verdicts = std::map<std::pair<std::string, netlink::Endpoint>, Verdict>;  // by service and address

/// Takes the share away from backends of the service that drain, are disabled or are down, and sets what is to be evicted and which
/// sources are dead.
void apply_standing(ServiceState& service, const Marks& marks, const Verdicts& verdicts);

}  // namespace wsl4::service
