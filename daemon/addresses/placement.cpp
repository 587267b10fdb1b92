#include "daemon/addresses/placement.h"

#include <algorithm>

#include <fmt/format.h>

namespace wsl4::addresses {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

std::vector<WantedAddress> wanted_addresses(const config::Config& config) {
  std::vector<WantedAddress> wanted;
  for (const auto& service : config.services) {
    for (const auto& listen : service.listen) wanted.push_back({listen.address, service.interface});
  }
  for (const auto& pool : config.pools) {
    for (const auto& address : pool.addresses) wanted.push_back({address, pool.interface});
  }
  std::ranges::sort(wanted);
  const auto repeated = std::ranges::unique(wanted, {}, &WantedAddress::address);
  wanted.erase(repeated.begin(), repeated.end());
  return wanted;
}

bool is_ours(const InterfaceAddress& entry) { return entry.protocol == netlink::rtnl::kAddressProtocol; }

Topology::Topology(std::vector<Link> links, const std::vector<InterfaceAddress>& present) : links_(std::move(links)) {
  for (const auto& entry : present) {
    if (entry.prefix_length == entry.address.bits()) continue;  // alone in its network
    const auto on = std::ranges::find(links_, entry.link_index, &Link::index);
    if (on != links_.end() && !on->loopback) networks_.push_back({{entry.address, entry.prefix_length}, &*on});
  }
  std::ranges::stable_sort(networks_, std::greater{}, [](const Network& network) { return network.prefix.length; });
}

const Link* Topology::home_of(const WantedAddress& wanted) const {
  if (wanted.interface.empty()) return link_towards(wanted.address);
  const auto link = std::ranges::find(links_, wanted.interface, &Link::name);
  return link == links_.end() ? nullptr : &*link;
}

const Link* Topology::link_towards(const IpAddress& address) const {
  const auto network = std::ranges::find_if(networks_, [&](const Network& one) { return one.prefix.contains(address); });
  return network == networks_.end() ? nullptr : network->link;
}

namespace {

std::string homeless(const WantedAddress& wanted) {
  const auto address = wanted.address.to_string();
  if (wanted.interface.empty()) return fmt::format("{}: no interface has a prefix that covers it; set `interface`", address);
  return fmt::format("{}: there is no interface {}", address, wanted.interface);
}

}  // namespace

Placement place(const std::vector<WantedAddress>& wanted, const Topology& topology, const std::vector<InterfaceAddress>& present) {
  Placement placement;
  for (const auto& one : wanted) {
    if (std::ranges::find(present, one.address, &InterfaceAddress::address) != present.end()) continue;
    if (const Link* home = topology.home_of(one))
      placement.missing.push_back({*home, one.address});
    else
      placement.problems.push_back(homeless(one));
  }
  for (const auto& entry : present) {
    if (is_ours(entry) && std::ranges::find(wanted, entry.address, &WantedAddress::address) == wanted.end())
      placement.leftover.push_back(entry);
  }
  return placement;
}

}  // namespace wsl4::addresses
