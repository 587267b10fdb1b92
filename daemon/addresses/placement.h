// Which wanted address is missing on which link, and which of ours have to go: decided from the machine's links and addresses at
// one moment. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/config/config.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::addresses {

/// An address that this node should answer for.
struct WantedAddress {
  netlink::IpAddress address;
  std::string interface;  // empty: the one with the longest connected prefix that covers the address
  friend auto operator<=>(const WantedAddress&, const WantedAddress&) = default;
};

/// VIPs and pool addresses, each once, in the order of the configuration.
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

  /// Where the address belongs; nullptr: nowhere.
  [[nodiscard]] const netlink::rtnl::Link* home_of(const WantedAddress& wanted) const;
  /// The link, but loopback, with the longest connected prefix that covers the address.
  [[nodiscard]] const netlink::rtnl::Link* link_towards(const netlink::IpAddress& address) const;

 private:
  struct Network {
    netlink::Prefix prefix;
    const netlink::rtnl::Link* link = nullptr;
    friend auto operator<=>(const Network&, const Network&) = default;
  };

  std::vector<netlink::rtnl::Link> links_;
  std::vector<Network> networks_;  // longest first
};

struct Missing {
  netlink::rtnl::Link link;
  netlink::IpAddress address;
};

struct Placement {
  std::vector<Missing> missing;
  std::vector<netlink::rtnl::InterfaceAddress> leftover;  // ours that nobody wants
  std::vector<std::string> problems;  // "198.51.100.16: no interface has a prefix that covers it; set `interface`"
};

/// An address that somebody else configured anywhere is as good as ours, and stays.
[[nodiscard]] Placement place(const std::vector<WantedAddress>& wanted, const Topology& topology,
                              const std::vector<netlink::rtnl::InterfaceAddress>& present);

}  // namespace wsl4::addresses
