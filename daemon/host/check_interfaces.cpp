// Have the addresses a place, and do the interfaces' settings let packets pass?
#include <algorithm>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "daemon/addresses/placement.h"
#include "daemon/host/check.h"
#include "daemon/util/counted.h"

namespace wsl4::host {
namespace {

using netlink::Family;
using netlink::IpAddress;
using netlink::rtnl::Link;
using Severity = Finding::Severity;

/// On which link each address is, or will be put.
class Homes {
 public:
  explicit Homes(const Machine& machine) : topology_(machine.links, machine.addresses) {
    for (const auto& entry : machine.addresses) {
      const auto link = std::ranges::find(machine.links, entry.link_index, &Link::index);
      if (link != machine.links.end()) present_.emplace(entry.address, &*link);
    }
  }

  /// nullptr: nowhere.
  [[nodiscard]] const Link* of(const addresses::WantedAddress& wanted) const {
    const auto place = present_.find(wanted.address);
    return place == present_.end() ? topology_.home_of(wanted) : place->second;
  }

 private:
  addresses::Topology topology_;
  std::unordered_map<IpAddress, const Link*> present_;
};

}  // namespace

void judge_interfaces(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (machine.links.empty()) return;
  const Homes homes(machine);
  std::set<std::string> missing;
  std::vector<std::string> homeless;
  for (const auto& wanted : addresses::wanted_addresses(config)) {
    if (!wanted.interface.empty()) {
      if (!has_link(machine, wanted.interface) && missing.insert(wanted.interface).second)
        findings.push_back({Severity::kError, fmt::format("there is no interface {}", wanted.interface),
                            "correct `interface` (ip link shows the names)"});
    } else if (config.addresses.manage && homes.of(wanted) == nullptr) {
      homeless.push_back(wanted.address.to_string());
    }
  }
  if (!homeless.empty())
    findings.push_back({Severity::kError, fmt::format("no interface has a prefix that covers {}", util::listed(homeless)),
                        "set `interface` of the service or pool, or give an interface an address of that network"});
}

void judge_arp(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings) {
  if (uses_virtual_mac(config)) return;  // wsl4d sets it for all
  const Homes homes(machine);
  std::set<std::string> carriers;
  for (const auto& wanted : addresses::wanted_addresses(config)) {
    const auto* home = wanted.address.family() == Family::kIpv4 ? homes.of(wanted) : nullptr;
    if (home != nullptr && !home->loopback) carriers.insert(home->name);
  }
  if (carriers.size() < 2) return;
  // The kernel takes the higher of an interface's value and that of `all` (ip-sysctl).
  const auto is_off = [&](const std::string& interface, const std::string& setting) {
    return sysctls.read("net/ipv4/conf/all/" + setting) == "0" && sysctls.read("net/ipv4/conf/" + interface + "/" + setting) == "0";
  };
  for (const auto& name : carriers) {
    if (!is_off(name, "arp_ignore") && !is_off(name, "arp_announce")) continue;
    const auto of_interface = "net/ipv4/conf/" + name + "/";
    findings.push_back(
        {Severity::kWarning,
         fmt::format(
             "{} answers ARP for addresses of other interfaces, and VIPs or pool addresses are on several: traffic may come "
             "in by the wrong card",
             name),
         fmt::format("sysctl -w {0}arp_ignore=1 {0}arp_announce=2", of_interface)});
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
