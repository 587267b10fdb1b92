// Finds other hosts of a link that hold an address of ours too: they answer for it, so some clients' packets go there.
#pragma once

#include <memory>
#include <vector>

#include "netlink/rtnl/neighbour_packets.h"

namespace wsl4::netlink::rtnl {

/// Asks as RFC 5227 and RFC 4862 5.4 do before an address is used; here it is in use already. Nobody learns anything from being
/// asked. Needs CAP_NET_RAW, and is told of every ARP packet and neighbour advertisement that comes to this machine: open it for as
/// long as answers are awaited, some seconds.
class ConflictProbe {
 public:
  virtual ~ConflictProbe() = default;
  /// EOPNOTSUPP: the link is no Ethernet.
  virtual Result<void> ask(const Link& link, const IpAddress& address) = 0;
  /// Whom what has come since the last call names as holder of whatever address, this machine's other cards on the same link among
  /// them; some hundred at most.
  virtual std::vector<Holder> heard() = 0;
};
Result<std::unique_ptr<ConflictProbe>> open_conflict_probe();

}  // namespace wsl4::netlink::rtnl
