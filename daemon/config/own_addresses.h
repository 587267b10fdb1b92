// Which addresses are the balancer's own, on either node of a pair. Pure.
#pragma once

#include <string>
#include <unordered_set>

#include "daemon/config/config.h"

namespace wsl4::config {

/// Those that no backend may have, since its flows would end on a node that has the address, past SNAT and counts: pool addresses,
/// the nodes' own in [ha], and with addresses.manage VIPs and addresses.extra. Without it these may live on another machine.
[[nodiscard]] std::unordered_set<IpAddress> own_addresses(const Config& config);

/// What one of them is: "a VIP of chat", "a pool address of main", "ha.peer". Empty if it is none. Looks at all of them.
[[nodiscard]] std::string describe_own(const Config& config, const IpAddress& address);

}  // namespace wsl4::config
