// Puts VIPs and pool addresses on the right interfaces, tells the neighbours, and takes away again what it put there. Addresses
// that were there before, or that somebody else put there, are left alone. It keeps no list: the kernel knows which are ours, also
// after a crash.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/addresses/placement.h"

namespace wsl4::addresses {

struct Reconciled {
  std::vector<netlink::IpAddress> added;    // also to its new link
  std::vector<netlink::IpAddress> removed;  // from the machine
  std::vector<std::string> problems;        // as Placement's, and what the kernel refused
};

class Manager {
 public:
  Manager(netlink::rtnl::Rtnl& rtnl, netlink::rtnl::Announcer& announcer) : rtnl_(rtnl), announcer_(announcer) {}

  /// Adds what is missing and repeats the announcements of what was lately added: call it about once a second. Ours that belongs on
  /// another link is added there by one call and taken off the old one by the next. Ours that is wanted no more goes once it is
  /// `idle`: known to be used by no flow. A machine that was in order and has not changed is not listed again.
  Reconciled reconcile(const std::vector<WantedAddress>& wanted, const std::set<netlink::IpAddress>& idle);

  /// Tells the neighbours of every address of ours, at once. Returns why that failed.
  std::vector<std::string> announce_all();

  /// Takes off every address of ours; goes on after one that cannot be removed.
  Reconciled withdraw();

  /// Ours that is wanted no more and was still there after the last reconcile.
  [[nodiscard]] const std::vector<netlink::IpAddress>& leftover() const { return leftover_; }

 private:
  struct Pending {
    netlink::rtnl::Link link;
    int left;  // announcements still to be made
  };

  Reconciled look_and_mend(const std::vector<WantedAddress>& wanted, const std::set<netlink::IpAddress>& idle);
  void add(const Missing& missing, Reconciled& result);
  bool remove(const netlink::rtnl::InterfaceAddress& entry, std::vector<std::string>& problems);
  void announce_again();
  void announce(const netlink::rtnl::Link& link, const netlink::IpAddress& address);

  netlink::rtnl::Rtnl& rtnl_;
  netlink::rtnl::Announcer& announcer_;
  std::vector<WantedAddress> wanted_;  // at the last look
  bool in_order_ = false;              // found then, but for what is left over
  std::vector<netlink::IpAddress> leftover_;
  std::map<netlink::IpAddress, Pending> announcing_;
};

/// Takes off every address that is ours; goes on after one that cannot be removed.
[[nodiscard]] Reconciled remove_ours(netlink::rtnl::Rtnl& rtnl);

}  // namespace wsl4::addresses
