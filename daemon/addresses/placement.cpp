#include "daemon/addresses/placement.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_set.hpp>

namespace wsl4::addresses {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

namespace {

using AddressSet = boost::unordered_flat_set<IpAddress, std::hash<IpAddress>>;

std::string homeless(const WantedAddress& wanted) {
  const auto address = wanted.address.to_string();
  if (wanted.interface.empty()) return fmt::format("{}: no interface has a prefix that covers it; set `interface`", address);
  return fmt::format("{}: there is no interface {}", address, wanted.interface);
}

template <class Entries>
AddressSet addresses_of(const Entries& entries) {
  AddressSet set(entries.size());
  for (const auto& entry : entries) set.insert(entry.address);
  return set;
}

}  // namespace

std::vector<WantedAddress> wanted_addresses(const config::Config& config) {
  std::vector<WantedAddress> wanted;
  AddressSet seen;
  for (const auto& service : config.services) {
    for (const auto& listen : service.listen) {
      if (seen.insert(listen.address).second) wanted.push_back({listen.address, service.interface});
    }
  }
  for (const auto& pool : config.pools) {
    for (const auto& address : pool.addresses) wanted.push_back({address, pool.interface});
  }
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

Placement place(const std::vector<WantedAddress>& wanted, const Topology& topology, const std::vector<InterfaceAddress>& present) {
  Placement placement;
  const auto is_present = addresses_of(present), is_wanted = addresses_of(wanted);
  for (const auto& one : wanted) {
    if (is_present.contains(one.address)) continue;
    if (const Link* home = topology.home_of(one))
      placement.missing.push_back({*home, one.address});
    else
      placement.problems.push_back(homeless(one));
  }
  for (const auto& entry : present) {
    if (is_ours(entry) && !is_wanted.contains(entry.address)) placement.leftover.push_back(entry);
  }
  return placement;
}

}  // namespace wsl4::addresses
