#include "daemon/addresses/placement.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

namespace wsl4::addresses {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

namespace {

template <class Value>
using ByAddress = boost::unordered_flat_map<IpAddress, Value, std::hash<IpAddress>>;

/// What the machine has of one address.
struct Held {
  std::vector<const InterfaceAddress*> entries;
  bool wanted = false;
};

std::string homeless(const WantedAddress& wanted) {
  const auto address = wanted.address.to_string();
  if (wanted.interface.empty()) return fmt::format("{}: no interface has a prefix that covers it; set `interface`", address);
  return fmt::format("{}: there is no interface {}", address, wanted.interface);
}

void place_one(const WantedAddress& wanted, const Topology& topology, const Held& held, Placement& placement) {
  const auto& entries = held.entries;
  const auto of_ours = [](const InterfaceAddress* entry) { return is_ours(*entry); };
  const auto ours = std::ranges::find_if(entries, of_ours);
  const Link* home = topology.home_of(wanted, ours == entries.end() ? 0 : (*ours)->link_index);
  if (home == nullptr) {
    if (entries.empty() || !wanted.interface.empty()) placement.problems.push_back(homeless(wanted));
    return;
  }
  const auto at_home = [home](const InterfaceAddress* entry) { return entry->link_index == home->index; };
  if (std::ranges::all_of(entries, of_ours) && std::ranges::none_of(entries, at_home)) {
    placement.missing.push_back({*home, wanted.address, wanted.prefix_length});
    return;
  }
  for (const auto* entry : entries) {
    if (is_ours(*entry) && !at_home(entry)) placement.surplus.push_back(*entry);
  }
}

}  // namespace

std::vector<WantedAddress> wanted_addresses(const config::Config& config) {
  std::vector<WantedAddress> wanted;
  ByAddress<std::size_t> places;
  for (const auto& service : config.services) {
    for (const auto& listen : service.listen) {
      const auto [place, is_new] = places.emplace(listen.address, wanted.size());
      if (is_new) wanted.push_back({listen.address, {}, 0});
      if (!service.interface.empty()) wanted[place->second].interface = service.interface;
    }
  }
  for (const auto& pool : config.pools) {
    for (const auto& address : pool.addresses) wanted.push_back({address, pool.interface, 0});
  }
  for (const auto& extra : config.addresses.extra) wanted.push_back({extra.address, {}, extra.length});
  return wanted;
}

bool is_ours(const InterfaceAddress& entry) { return entry.protocol == netlink::rtnl::kAddressProtocol; }

Topology::Topology(std::vector<Link> links, const std::vector<InterfaceAddress>& present) : links_(std::move(links)) {
  for (const auto& entry : present) {
    if (entry.prefix_length == entry.address.bits()) continue;  // alone in its network
    const auto on = std::ranges::find(links_, entry.link_index, &Link::index);
    if (on == links_.end() || on->loopback) continue;
    const netlink::Prefix prefix{entry.address, entry.prefix_length};
    const Network network{{prefix.network(), prefix.length}, &*on};
    if (std::ranges::find(networks_, network) == networks_.end()) networks_.push_back(network);
  }
  std::ranges::stable_sort(networks_, std::greater{}, [](const Network& network) { return network.prefix.length; });
}

const Link* Topology::home_of(const WantedAddress& wanted, int present_link) const {
  if (wanted.interface.empty()) return link_towards(wanted.address, present_link);
  const auto link = std::ranges::find(links_, wanted.interface, &Link::name);
  return link == links_.end() ? nullptr : &*link;
}

const Link* Topology::link_towards(const IpAddress& address, int preferred) const {
  const Network* best = nullptr;
  for (const auto& network : networks_) {
    if (best != nullptr && network.prefix.length < best->prefix.length) break;
    if (network.prefix.contains(address) && (best == nullptr || network.link->index == preferred)) best = &network;
  }
  return best == nullptr ? nullptr : best->link;
}

Placement place(const std::vector<WantedAddress>& wanted, const Topology& topology, const std::vector<InterfaceAddress>& present) {
  ByAddress<Held> held(present.size());
  for (const auto& entry : present) held[entry.address].entries.push_back(&entry);
  Placement placement;
  for (const auto& one : wanted) {
    auto& here = held[one.address];
    here.wanted = true;
    place_one(one, topology, here, placement);
  }
  for (const auto& entry : present) {
    if (is_ours(entry) && !held[entry.address].wanted) placement.leftover.push_back(entry);
  }
  return placement;
}

}  // namespace wsl4::addresses
