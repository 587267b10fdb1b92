// Have the addresses a place, and do the interfaces' settings let packets pass?
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/addresses/placement.h"
#include "daemon/host/check.h"

namespace wsl4::host {
namespace {

using netlink::Family;
using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;
using Severity = Finding::Severity;

const Link* link_named(const Machine& machine, const std::string& name) {
  const auto link = std::ranges::find(machine.links, name, &Link::name);
  return link == machine.links.end() ? nullptr : &*link;
}

bool is_loopback(const Machine& machine, int index) {
  const auto link = std::ranges::find(machine.links, index, &Link::index);
  return link != machine.links.end() && link->loopback;
}

/// The address is there already, or within the prefix of an interface that can carry it.
bool is_covered(const Machine& machine, const IpAddress& address) {
  return std::ranges::any_of(machine.addresses, [&](const InterfaceAddress& present) {
    if (present.address == address) return true;
    return !is_loopback(machine, present.link_index) && netlink::Prefix{present.address, present.prefix_length}.contains(address);
  });
}

}  // namespace

void judge_interfaces(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (machine.links.empty()) return;
  std::set<std::string> missing;
  for (const auto& wanted : addresses::wanted_addresses(config)) {
    if (!wanted.interface.empty()) {
      if (!link_named(machine, wanted.interface) && missing.insert(wanted.interface).second)
        findings.push_back({Severity::kError, fmt::format("there is no interface {}", wanted.interface),
                            "correct `interface` (ip link shows the names)"});
    } else if (config.addresses.manage && !is_covered(machine, wanted.address)) {
      findings.push_back({Severity::kError, fmt::format("{}: no interface has a prefix that covers it", wanted.address.to_string()),
                          "set `interface` of its service or pool, or give an interface an address of that network"});
    }
  }
}

void judge_reverse_path(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings) {
  if (!uses(config, Family::kIpv4)) return;
  const auto all = sysctls.read("net/ipv4/conf/all/rp_filter");
  for (const auto& link : machine.links) {
    if (link.loopback) continue;
    const auto name = "net/ipv4/conf/" + link.name + "/rp_filter";
    const auto own = sysctls.read(name);
    // The kernel takes the higher of the two (ip-sysctl: rp_filter); 1 is strict, 2 is loose.
    if (!own || std::max(*own, all.value_or("0")) != "1") continue;
    findings.push_back(
        {Severity::kWarning,
         fmt::format("strict reverse path filter on {}: packets of backends that come by another way than back are dropped",
                     link.name),
         set_command(name, "2")});
  }
}

void judge_router_advertisements(const config::Config& config, const Machine& machine, Sysctls& sysctls,
                                 std::vector<Finding>& findings) {
  if (!uses(config, Family::kIpv6)) return;
  for (const auto& link : machine.links) {
    const auto name = "net/ipv6/conf/" + link.name + "/accept_ra";
    if (link.loopback || sysctls.read(name) != "1") continue;
    findings.push_back(
        {Severity::kWarning,
         fmt::format("{} has accept_ra=1: once wsl4d turns IPv6 forwarding on, the kernel drops the default route that it "
                     "learnt there from router advertisements (0 if its routes are configured)",
                     link.name),
         set_command(name, "2")});
  }
}

}  // namespace wsl4::host
