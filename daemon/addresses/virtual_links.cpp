#include "daemon/addresses/virtual_links.h"

#include <algorithm>

#include <fmt/format.h>

namespace wsl4::addresses {

using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

std::map<std::string, std::string> virtual_link_sysctls(const std::string& name, bool filtered) {
  const auto ipv4 = "net/ipv4/conf/" + name + "/", ipv6 = "net/ipv6/conf/" + name + "/";
  return {
      {ipv4 + "arp_ignore", "1"},  // not for the addresses of its parent
      // Routes lead through the parent, so strict would drop everything, and without an address loose does too (fib_frontend.c,
      // __fib_validate_source). The kernel takes the higher of this and that of `all`.
      {ipv4 + "rp_filter", filtered ? "2" : "0"},
      {ipv4 + "forwarding", "1"},     // also where the machine's default for new interfaces is another one
      {ipv6 + "forwarding", "1"},     //
      {ipv6 + "disable_ipv6", "0"},   //
      {ipv6 + "addr_gen_mode", "1"},  // no link-local address, which both nodes would make alike
      {ipv6 + "accept_ra", "0"},      // no route through it
  };
}

std::vector<std::string> VirtualLinks::provide(const std::vector<WantedAddress>& wanted, Links& links,
                                               const std::vector<InterfaceAddress>& present, Use use) {
  std::vector<std::string> problems;
  std::set<std::string> needed;
  bool made = false;
  if (router_) {
    const Topology topology(links, present);
    for (const auto* parent : topology.homes_of(wanted)) {
      if (parent->loopback) continue;
      needed.insert(virtual_link_name(*router_, parent->index));
      made |= make(*parent, links, problems);
    }
  }
  if (made) {
    auto now = rtnl_.links();
    if (!now) problems.push_back(now.error().message());
    if (now) links = std::move(*now);
  }
  for (auto& link : links) {
    if (!is_virtual_link(link)) continue;
    if (needed.contains(link.name)) {
      settle(link, use, problems);
    } else if (std::ranges::find(present, link.index, &InterfaceAddress::link_index) == present.end()) {
      if (const auto removed = rtnl_.remove_link(link.index); !removed) problems.push_back(removed.error().message());
    }
  }
  return problems;
}

/// Whether there is one more.
bool VirtualLinks::make(const Link& parent, const Links& links, std::vector<std::string>& problems) {
  const auto name = virtual_link_name(*router_, parent.index);
  const auto mac = virtual_mac(*router_);
  const auto place = std::ranges::find(links, name, &Link::name);
  if (place != links.end()) {
    if (!is_virtual_link(*place) || place->mac != mac)
      problems.push_back(fmt::format(
          "{} is not wsl4's, and its name is needed for the virtual MAC address on {}: rename or remove it", name, parent.name));
    return false;
  }
  const auto made = rtnl_.add_macvlan({name, parent.index, mac});
  if (!made) problems.push_back(fmt::format("virtual MAC address on {}: {}", parent.name, made.error().message()));
  return made.has_value();
}

void VirtualLinks::settle(Link& link, Use use, std::vector<std::string>& problems) {
  if (settled_.insert(link.index).second) {
    const auto filter = sysctls_.read("net/ipv4/conf/all/rp_filter");
    auto settings = virtual_link_sysctls(link.name, filter && *filter != "0");
    std::erase_if(settings, [this](const auto& setting) { return !sysctls_.read(setting.first); });  // a machine without IPv6
    auto changes = host::apply_sysctls(sysctls_, settings);
    if (!changes.failures.empty()) settled_.erase(link.index);
    problems.insert(problems.end(), changes.failures.begin(), changes.failures.end());
  }
  if (use == Use::kStandby || link.up) return;
  if (const auto set = rtnl_.set_link(link.index, true); !set) {
    problems.push_back(fmt::format("{}: {}", link.name, set.error().message()));
  } else {
    link.up = true;
  }
}

std::vector<std::string> VirtualLinks::set_down() {
  const auto links = rtnl_.links();
  if (!links) return {links.error().message()};
  std::vector<std::string> problems;
  for (const auto& link : *links) {
    if (!is_virtual_link(link) || !link.up) continue;
    if (const auto set = rtnl_.set_link(link.index, false); !set)
      problems.push_back(fmt::format("{}: {}", link.name, set.error().message()));
  }
  return problems;
}

std::size_t remove_virtual_links(netlink::rtnl::Rtnl& rtnl, std::vector<std::string>& problems) {
  const auto links = rtnl.links();
  if (!links) problems.push_back(links.error().message());
  std::size_t removed = 0;
  for (const auto& link : links ? *links : std::vector<Link>{}) {
    if (!is_virtual_link(link)) continue;
    if (const auto gone = rtnl.remove_link(link.index); gone) {
      ++removed;
    } else {
      problems.push_back(fmt::format("{}: {}", link.name, gone.error().message()));
    }
  }
  return removed;
}

}  // namespace wsl4::addresses
