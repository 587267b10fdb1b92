// Can this node be one of a pair?
#include <algorithm>

#include <fmt/format.h>

#include "daemon/host/check.h"

namespace wsl4::host {

using Severity = Finding::Severity;

void judge_pair(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (!config.ha) return;
  const auto& ha = *config.ha;
  for (const auto& problem : machine.key_problems)
    findings.push_back({Severity::kError, fmt::format("ha.key_file: {}", problem),
                        fmt::format("make it on one node (wsl4ctl keygen {}) and copy it to the other one", ha.key_file)});
  if (machine.links.empty()) return;
  if (!ha.interface.empty() && std::ranges::find(machine.links, ha.interface, &netlink::rtnl::Link::name) == machine.links.end())
    findings.push_back({Severity::kError, fmt::format("ha.interface: there is no interface {}", ha.interface),
                        "correct it (ip link shows the names)"});
  const auto own = std::ranges::find(machine.addresses, ha.listen.address, &netlink::rtnl::InterfaceAddress::address);
  if (own == machine.addresses.end())
    findings.push_back({Severity::kError, fmt::format("ha.listen: {} is no address of this machine", ha.listen.address.to_string()),
                        "correct it, or give an interface that address"});
}

}  // namespace wsl4::host
