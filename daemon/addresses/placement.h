// Which wanted address is missing on which link, and which of ours have to go: decided from the machine's links and addresses at
// one moment. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/config/config.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::addresses {

/// An address that this node should answer for.
struct WantedAddress {
  netlink::IpAddress address;
  std::string interface;           // empty: the one with the longest connected prefix that covers the address
  std::uint8_t prefix_length = 0;  // 0: alone, as /32 or /128
  friend auto operator<=>(const WantedAddress&, const WantedAddress&) = default;
};

/// VIPs, pool addresses and addresses.extra, each once, in the order of the configuration. A VIP of several services lives on the
/// interface that any of them names.
[[nodiscard]] std::vector<WantedAddress> wanted_addresses(const config::Config& config);

/// Whether wsl4 put the address there: the kernel keeps our mark with it (IFA_PROTO), and loses it when somebody else configures
/// the same address over ours. Nothing else makes an address ours.
[[nodiscard]] bool is_ours(const netlink::rtnl::InterfaceAddress& entry);

/// RFC 9568 7.3: 00:00:5e:00:01:33 of router 51; here for both families.
[[nodiscard]] std::vector<std::uint8_t> virtual_mac(int router);
/// "wsl4-51-2": router 51 on the link of index 2.
[[nodiscard]] std::string virtual_link_name(int router, int parent_index);
/// A macvlan that wsl4 made, for whatever router: nobody else makes one of such a name and such a MAC address.
[[nodiscard]] bool is_virtual_link(const netlink::rtnl::Link& link);

/// What of ours the machine has.
struct HeldAddresses {
  std::map<netlink::IpAddress, netlink::rtnl::Link> addresses;  // and where
  std::set<netlink::rtnl::Mac> macs;                            // of all its Ethernet links
};
[[nodiscard]] HeldAddresses held_addresses(const std::vector<netlink::rtnl::Link>& links,
                                           const std::vector<netlink::rtnl::InterfaceAddress>& present);

/// The links, and the networks that they are connected to.
class Topology {
 public:
  /// `router`: addresses are carried by the virtual links of this virtual router; none: by the links themselves.
  Topology(std::vector<netlink::rtnl::Link> links, const std::vector<netlink::rtnl::InterfaceAddress>& present,
           std::optional<int> router = {});
  Topology(const Topology&) = delete;  // networks_ points into links_
  Topology& operator=(const Topology&) = delete;

  /// Where the address belongs, never a virtual link; nullptr: nowhere. `present_link` is the index of the link that it lives on,
  /// 0: on none.
  [[nodiscard]] const netlink::rtnl::Link* home_of(const WantedAddress& wanted, int present_link = 0) const;
  /// Of all of them, each once, by name.
  [[nodiscard]] std::vector<const netlink::rtnl::Link*> homes_of(const std::vector<WantedAddress>& wanted) const;
  /// What has the addresses whose home this is: its virtual link or itself. nullptr: the virtual link is not there.
  [[nodiscard]] const netlink::rtnl::Link* carrier_of(const netlink::rtnl::Link& home) const;
  [[nodiscard]] bool is_virtual() const { return router_.has_value(); }
  /// The link, but loopback, with the longest connected prefix that covers the address; of equals the one of index `preferred`.
  [[nodiscard]] const netlink::rtnl::Link* link_towards(const netlink::IpAddress& address, int preferred = 0) const;

 private:
  struct Network {
    netlink::Prefix prefix;
    const netlink::rtnl::Link* link = nullptr;
    friend bool operator==(const Network&, const Network&) = default;
  };

  std::vector<netlink::rtnl::Link> links_;
  std::optional<int> router_;
  std::map<std::string, const netlink::rtnl::Link*> virtual_;  // its virtual links
  std::vector<Network> networks_;                              // each once, longest first
};

struct Missing {
  netlink::rtnl::Link link;
  netlink::IpAddress address;
  std::uint8_t prefix_length = 0;
};

struct Placement {
  std::vector<netlink::rtnl::InterfaceAddress> outdated;  // ours of another prefix length: goes before what is missing comes
  std::vector<Missing> missing;
  std::vector<netlink::rtnl::InterfaceAddress> surplus;   // ours that has come to where it belongs, and is still elsewhere too
  std::vector<netlink::rtnl::InterfaceAddress> leftover;  // ours that nobody wants
  std::vector<std::string> problems;  // "198.51.100.16: no interface has a prefix that covers it; set `interface`"
};

/// An address that somebody else configured anywhere is as good as ours, and stays; but not with a virtual MAC address, which it
/// lacks: there it is a problem. Where the virtual link is not there nothing is missing: whoever makes those says why. Ours that
/// belongs on another link is `missing` there, and when it has come `surplus` on the old one: it moves without a gap.
[[nodiscard]] Placement place(const std::vector<WantedAddress>& wanted, const Topology& topology,
                              const std::vector<netlink::rtnl::InterfaceAddress>& present);

/// What is missing, left over or a problem in `next` and not in `now`: two configurations on the same machine.
[[nodiscard]] Placement beyond(const Placement& now, Placement next);

}  // namespace wsl4::addresses
