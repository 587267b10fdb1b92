// Interfaces with the pair's virtual MAC address (RFC 9568 7.3), one on each interface that VIPs and pool addresses belong on: a
// macvlan that both nodes have, and that is up on one of them. They are made before they are needed, and known again after a crash
// by what they are: a macvlan of such a name and such a MAC address.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/addresses/placement.h"
#include "daemon/host/host.h"

namespace wsl4::addresses {

/// What such an interface needs, whatever the machine's defaults are: it answers for its own addresses only, and packets that come
/// in by it, though their senders are reached by its parent, are forwarded. `filtered`: the machine filters by reverse path
/// (net.ipv4.conf.all.rp_filter). Name -> value.
[[nodiscard]] std::map<std::string, std::string> virtual_link_sysctls(const std::string& name, bool filtered);

class VirtualLinks {
 public:
  enum class Use : std::uint8_t { kStandby, kActive };

  /// `router`: ha.virtual_router_id; none: no virtual MAC address. Then what an earlier daemon left goes.
  VirtualLinks(netlink::rtnl::Rtnl& rtnl, host::Sysctls& sysctls, std::optional<int> router)
      : rtnl_(rtnl), sysctls_(sysctls), router_(router) {}

  [[nodiscard]] std::optional<int> router() const { return router_; }

  /// Makes those that `wanted` needs, sets those up (kActive), and removes those that nobody needs and that carry nothing. `links`
  /// is what the machine has, before and after. Returns what went wrong; nothing is left half done that the next call does not
  /// mend.
  [[nodiscard]] std::vector<std::string> provide(const std::vector<WantedAddress>& wanted, std::vector<netlink::rtnl::Link>& links,
                                                 const std::vector<netlink::rtnl::InterfaceAddress>& present, Use use);
  /// They take nothing any more.
  [[nodiscard]] std::vector<std::string> set_down();

 private:
  using Links = std::vector<netlink::rtnl::Link>;
  bool make(const netlink::rtnl::Link& parent, const Links& links, std::vector<std::string>& problems);
  void settle(netlink::rtnl::Link& link, Use use, std::vector<std::string>& problems);

  netlink::rtnl::Rtnl& rtnl_;
  host::Sysctls& sysctls_;
  std::optional<int> router_;
  std::set<int> settled_;  // index of those with their sysctls
};

/// Removes every one that wsl4 made; goes on after a failure, which it adds to `problems`. Returns how many.
std::size_t remove_virtual_links(netlink::rtnl::Rtnl& rtnl, std::vector<std::string>& problems);

}  // namespace wsl4::addresses
