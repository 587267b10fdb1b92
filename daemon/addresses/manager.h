// Puts VIPs and pool addresses on the right interfaces, tells the neighbours, and takes away again what it put there. Addresses
// that were there before, or that somebody else put there, are left alone.
#pragma once

#include <cstdint>
#include <functional>
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

/// VIPs and pool addresses, each once.
[[nodiscard]] std::vector<WantedAddress> wanted_addresses(const config::Config& config);

/// One that we put on an interface: kept in the state file, so that it is known as ours on kernels and tools that do not tell.
struct OwnAddress {
  netlink::IpAddress address;
  std::string interface;
  friend auto operator<=>(const OwnAddress&, const OwnAddress&) = default;
};

struct Reconciled {
  std::vector<netlink::IpAddress> added, removed;
  std::vector<std::string> problems;  // "198.51.100.16: no interface has a prefix that covers it; set `interface`"
};

class Manager {
 public:
  Manager(netlink::rtnl::Rtnl& rtnl, netlink::rtnl::Announcer& announcer, std::vector<OwnAddress> own)
      : rtnl_(rtnl), announcer_(announcer), own_(std::move(own)) {}

  /// Adds what is missing and removes ours that is neither wanted nor `in_use` by a flow. `before_add` is called once with the list
  /// of our addresses as it will be, before the first one is added: if it returns false (the list could not be saved) nothing is
  /// added.
  Reconciled reconcile(const std::vector<WantedAddress>& wanted, const std::function<bool(const netlink::IpAddress&)>& in_use,
                       const std::function<bool(const std::vector<OwnAddress>&)>& before_add);

  /// Repeats the announcements of lately added addresses. Call it about once a second.
  void announce_again();

  [[nodiscard]] const std::vector<OwnAddress>& own() const { return own_; }

 private:
  struct Pending {
    netlink::rtnl::Link link;
    int left;  // announcements still to be made
  };

  void announce(const netlink::rtnl::Link& link, const netlink::IpAddress& address);

  netlink::rtnl::Rtnl& rtnl_;
  netlink::rtnl::Announcer& announcer_;
  std::vector<OwnAddress> own_;  // sorted
  std::map<netlink::IpAddress, Pending> announcing_;
};

}  // namespace wsl4::addresses
