// Which wanted address is missing on which link, and which of ours have to go: decided from the machine's links and addresses at
// one moment. Pure.
#pragma once

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

/// The links, and the networks that they are connected to.
class Topology {
 public:
  Topology(std::vector<netlink::rtnl::Link> links, const std::vector<netlink::rtnl::InterfaceAddress>& present);
  Topology(const Topology&) = delete;  // networks_ points into links_
  Topology& operator=(const Topology&) = delete;

  /// Where the address belongs; nullptr: nowhere. `present_link` is the index of the link that it lives on, 0: on none.
  [[nodiscard]] const netlink::rtnl::Link* home_of(const WantedAddress& wanted, int present_link = 0) const;
  /// The link, but loopback, with the longest connected prefix that covers the address; of equals the one of index `preferred`.
  [[nodiscard]] const netlink::rtnl::Link* link_towards(const netlink::IpAddress& address, int preferred = 0) const;

 private:
  struct Network {
    netlink::Prefix prefix;
    const netlink::rtnl::Link* link = nullptr;
    friend bool operator==(const Network&, const Network&) = default;
  };

  std::vector<netlink::rtnl::Link> links_;
  std::vector<Network> networks_;  // each once, longest first
};

struct Missing {
  netlink::rtnl::Link link;
  netlink::IpAddress address;
  std::uint8_t prefix_length = 0;  // as WantedAddress's
};

struct Placement {
  std::vector<Missing> missing;
  std::vector<netlink::rtnl::InterfaceAddress> surplus;   // ours that has come to where it belongs, and is still elsewhere too
  std::vector<netlink::rtnl::InterfaceAddress> leftover;  // ours that nobody wants
  std::vector<std::string> problems;  // "198.51.100.16: no interface has a prefix that covers it; set `interface`"
};

/// An address that somebody else configured anywhere is as good as ours, and stays. Ours that belongs on another link is `missing`
/// there, and when it has come `surplus` on the old one: it moves without a gap.
[[nodiscard]] Placement place(const std::vector<WantedAddress>& wanted, const Topology& topology,
                              const std::vector<netlink::rtnl::InterfaceAddress>& present);

}  // namespace wsl4::addresses
