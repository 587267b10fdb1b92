// Can this node be one of a pair?
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/addresses/mover.h"
#include "daemon/addresses/placement.h"
#include "daemon/host/check.h"
#include "daemon/pair/tracked_links.h"

namespace wsl4::host {

using Severity = Finding::Severity;

namespace {

void judge_election(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  const auto& ha = *config.ha;
  for (const auto& name : ha.track)
    if (!has_link(machine, name))
      findings.push_back({Severity::kError, fmt::format("ha.track: there is no interface {}: this node would be in fault", name),
                          "correct it (ip link shows the names)"});
  if (!has_link(machine, ha.interface)) return;
  const auto moving = addresses::moving_addresses(config);
  const auto sources = pair::advert_sources(ha, moving.wanted, moving.vips, machine.links, machine.addresses);
  if (!sources) findings.push_back({Severity::kError, sources.error(), "correct it, or give the interface such an address"});
}

}  // namespace

void judge_pair(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (!config.ha) return;
  const auto& ha = *config.ha;
  if (machine.links.empty()) return;
  if (!ha.interface.empty() && !has_link(machine, ha.interface))
    findings.push_back({Severity::kError, fmt::format("ha.interface: there is no interface {}", ha.interface),
                        "correct it (ip link shows the names)"});
  if (ha.election == config::Election::kVrrp) judge_election(config, machine, findings);
  const auto own = std::ranges::find(machine.addresses, ha.listen.address, &netlink::rtnl::InterfaceAddress::address);
  if (own == machine.addresses.end())
    findings.push_back({Severity::kError, fmt::format("ha.listen: {} is no address of this machine", ha.listen.address.to_string()),
                        "correct it, or give an interface that address"});
}

void judge_virtual_mac(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (!uses_virtual_mac(config)) return;
  const auto tell = [&findings](std::string what, std::string remedy) {
    findings.push_back({Finding::Severity::kError, "ha.virtual_mac: " + std::move(what), std::move(remedy)});
  };
  if (machine.knows_macvlan == false)
    tell("this kernel has no macvlan interfaces", "modprobe macvlan, or install a kernel that has the module");
  const int router = config.ha->virtual_router_id;
  const addresses::Topology topology(machine.links, machine.addresses, router);
  std::set<std::string> names;
  for (const auto* home : topology.homes_of(addresses::wanted_addresses(config))) {
    if (home->loopback) continue;
    names.insert(addresses::virtual_link_name(router, home->index));
    if (home->port) {
      tell(fmt::format("{} is a port of a bridge or a bond, on which no macvlan can be made", home->name),
           "set `interface` of the service or pool to the bridge or bond");
    } else if (home->mac.size() != addresses::virtual_mac(router).size()) {
      tell(fmt::format("{} is no Ethernet interface", home->name), "set `interface` of the service or pool to one");
    }
  }
  for (const auto& link : machine.links) {
    if (addresses::is_virtual_link(link)) continue;
    if (names.contains(link.name)) tell(fmt::format("{} is not wsl4's, and its name is needed", link.name), "rename or remove it");
    if (link.mac == addresses::virtual_mac(router))
      tell(fmt::format("{} has the MAC address of virtual router {} already", link.name, router),
           "remove it, or set another ha.virtual_router_id on both nodes");
  }
}

}  // namespace wsl4::host
