#include "daemon/pair/tracked_links.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/election/transport.h"

namespace wsl4::pair {

using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

void TrackedLinks::look(const Links& links, const Present& present, const std::vector<addresses::WantedAddress>& moving) {
  const addresses::Topology topology(links, present);
  std::set<std::string> homes;
  for (const auto* home : topology.homes_of(moving)) homes.insert(home->name);
  const auto has_home = [&](const addresses::WantedAddress& wanted) { return topology.home_of(wanted) != nullptr; };
  if (moving == moving_ || !std::ranges::all_of(moving, has_home)) homes.insert(homes_.begin(), homes_.end());
  moving_ = moving;
  homes_ = std::move(homes);
  names_ = named_.empty() ? std::vector<std::string>(homes_.begin(), homes_.end()) : named_;
  const auto own = std::ranges::find(present, sync_address_, &InterfaceAddress::address);
  if (own == present.end()) return;
  const auto link = std::ranges::find(links, own->link_index, &Link::index);
  sync_link_ = link == links.end() || homes_.contains(link->name) ? "" : link->name;
}

tl::expected<std::vector<netlink::IpAddress>, std::string> advert_sources(const config::Ha& ha,
                                                                          const std::vector<addresses::WantedAddress>& moving,
                                                                          const std::vector<netlink::IpAddress>& vips,
                                                                          const TrackedLinks::Links& links,
                                                                          const TrackedLinks::Present& present) {
  const auto link = std::ranges::find(links, ha.interface, &Link::name);
  if (link == links.end()) return tl::make_unexpected(fmt::format("ha.interface: there is no interface {}", ha.interface));
  std::vector<netlink::IpAddress> others;
  others.reserve(moving.size());
  for (const auto& one : moving) others.push_back(one.address);
  std::vector<netlink::IpAddress> sources;
  bool usable = false;
  for (const auto family : {netlink::Family::kIpv4, netlink::Family::kIpv6}) {
    if (ha.unicast_peer && ha.unicast_peer->family() != family) continue;
    const auto source = election::advert_source(present, link->index, family, ha.unicast_peer, others);
    if (!source) continue;
    const bool has_vip = std::ranges::any_of(vips, [family](const auto& vip) { return vip.family() == family; });
    sources.insert(has_vip && !usable ? sources.begin() : sources.end(), *source);
    usable = usable || has_vip;
  }
  if (usable) return sources;
  if (sources.empty() && ha.unicast_peer)
    return tl::make_unexpected(
        fmt::format("ha.unicast_peer: {} is in no network of {}'s own addresses", ha.unicast_peer->to_string(), ha.interface));
  if (sources.empty())
    return tl::make_unexpected(
        fmt::format("ha.interface: {} has no address of its own that adverts could come from", ha.interface));
  const bool is_ipv4 = sources.front().family() == netlink::Family::kIpv4;  // and no VIP is
  return tl::make_unexpected(
      ha.unicast_peer ? fmt::format("ha.unicast_peer: adverts to it would be {}, and no VIP is", is_ipv4 ? "IPv4" : "IPv6")
                      : fmt::format("ha.interface: {} has no {} address of its own that adverts could come from", ha.interface,
                                    is_ipv4 ? "IPv6 link-local" : "IPv4"));
}

}  // namespace wsl4::pair
