#include "daemon/addresses/placement.h"

#include <algorithm>
#include <set>
#include <tuple>

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

std::uint8_t length_of(const WantedAddress& wanted) {
  return wanted.prefix_length != 0 ? wanted.prefix_length : static_cast<std::uint8_t>(wanted.address.bits());
}

void place_one(const WantedAddress& wanted, const Topology& topology, Held held, Placement& placement) {
  auto& entries = held.entries;
  const auto of_ours = [](const InterfaceAddress* entry) { return is_ours(*entry); };
  const auto ours = std::ranges::find_if(entries, of_ours);
  const Link* home = topology.home_of(wanted, ours == entries.end() ? 0 : (*ours)->link_index);
  if (home == nullptr) {
    if (entries.empty() || !wanted.interface.empty()) placement.problems.push_back(homeless(wanted));
    return;
  }
  const Link* carrier = topology.carrier_of(*home);
  if (carrier == nullptr) return;
  const auto at_home = [carrier](const InterfaceAddress* entry) { return entry->link_index == carrier->index; };
  const auto length = length_of(wanted);
  const auto outdated = [&](const InterfaceAddress* entry) {
    return is_ours(*entry) && at_home(entry) && entry->prefix_length != length;
  };
  for (const auto* entry : entries)
    if (outdated(entry)) placement.outdated.push_back(*entry);
  std::erase_if(entries, outdated);
  const bool all_ours = std::ranges::all_of(entries, of_ours);
  if (all_ours && std::ranges::none_of(entries, at_home)) {
    placement.missing.push_back({*carrier, wanted.address, length});
    return;
  }
  if (!all_ours && topology.is_virtual())
    placement.problems.push_back(
        fmt::format("{}: somebody else configured it, so it lacks the virtual MAC address; remove it", wanted.address.to_string()));
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
    for (const auto& address : pool.addresses)
      if (places.emplace(address, wanted.size()).second) wanted.push_back({address, pool.interface, 0});
  }
  for (const auto& extra : config.addresses.extra)
    if (places.emplace(extra.address, wanted.size()).second) wanted.push_back({extra.address, {}, extra.length});
  return wanted;
}

bool is_ours(const InterfaceAddress& entry) { return entry.protocol == netlink::rtnl::kAddressProtocol; }

std::vector<std::uint8_t> virtual_mac(int router) { return {0x00, 0x00, 0x5e, 0x00, 0x01, static_cast<std::uint8_t>(router)}; }

std::string virtual_link_name(int router, int parent_index) {
  constexpr int kRoom = 1'000'000;  // "wsl4-255-999999" is as long as a name can be (IFNAMSIZ)
  return fmt::format("wsl4-{}-{}", router, parent_index % kRoom);
}

bool is_virtual_link(const Link& link) {
  if (link.kind != "macvlan" || !link.name.starts_with("wsl4-") || link.mac.empty()) return false;
  return link.mac == virtual_mac(link.mac.back());
}

HeldAddresses held_addresses(const std::vector<Link>& links, const std::vector<InterfaceAddress>& present) {
  HeldAddresses held;
  for (const auto& link : links)
    if (const auto mac = mac_of(link)) held.macs.insert(*mac);
  for (const auto& entry : present) {
    const auto link = std::ranges::find(links, entry.link_index, &Link::index);
    if (is_ours(entry) && link != links.end()) held.addresses.emplace(entry.address, *link);
  }
  return held;
}

Topology::Topology(std::vector<Link> links, const std::vector<InterfaceAddress>& present, std::optional<int> router)
    : links_(std::move(links)), router_(router) {
  for (const auto& link : links_)
    if (router && is_virtual_link(link) && link.mac == virtual_mac(*router)) virtual_.emplace(link.name, &link);
  for (const auto& entry : present) {
    if (entry.prefix_length == entry.address.bits()) continue;  // alone in its network
    const auto on = std::ranges::find(links_, entry.link_index, &Link::index);
    if (on == links_.end() || on->loopback || is_virtual_link(*on)) continue;
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

std::vector<const Link*> Topology::homes_of(const std::vector<WantedAddress>& wanted) const {
  std::map<std::string, const Link*> homes;
  for (const auto& one : wanted)
    if (const auto* home = home_of(one)) homes.emplace(home->name, home);
  std::vector<const Link*> result;
  result.reserve(homes.size());
  for (const auto& [name, home] : homes) result.push_back(home);
  return result;
}

const Link* Topology::carrier_of(const Link& home) const {
  if (!router_ || home.loopback) return &home;
  const auto place = virtual_.find(virtual_link_name(*router_, home.index));
  return place == virtual_.end() ? nullptr : place->second;
}

const Link* Topology::link_towards(const IpAddress& address, int preferred) const {
  const Network* best = nullptr;
  for (const auto& network : networks_) {
    if (best != nullptr && network.prefix.length < best->prefix.length) break;
    if (!network.prefix.contains(address)) continue;
    const auto* carrier = preferred == 0 ? nullptr : carrier_of(*network.link);
    if (best == nullptr || network.link->index == preferred || (carrier != nullptr && carrier->index == preferred)) best = &network;
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

Placement beyond(const Placement& now, Placement next) {
  const auto erase_known = [](auto& entries, const auto& known, const auto& key_of) {
    std::set<decltype(key_of(entries.front()))> keys;
    for (const auto& entry : known) keys.insert(key_of(entry));
    std::erase_if(entries, [&](const auto& entry) { return keys.contains(key_of(entry)); });
  };
  erase_known(next.missing, now.missing,
              [](const Missing& one) { return std::tuple(one.link.index, one.address, one.prefix_length); });
  erase_known(next.leftover, now.leftover, [](const InterfaceAddress& one) { return std::tuple(one.link_index, one.address); });
  erase_known(next.problems, now.problems, [](const std::string& one) { return one; });
  return next;
}

}  // namespace wsl4::addresses
