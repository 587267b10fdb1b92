// Forged packets. Bare TCP segments make an end of a forgotten flow ask again (RFC 5961 5: an old sequence number is answered by an
// ACK): with its conntrack entry gone, that answer meets the guard, which resets the connection with the right numbers. Others tell
// this kernel's rules alone of a flow.
#pragma once

#include <memory>

#include "netlink/ip.h"
#include "netlink/result.h"

namespace wsl4::netlink {

class TcpProber {
 public:
  virtual ~TcpProber() = default;
  /// Sends a bare ACK from `from` to `to`. Does not wait. `from` need not be a local address. Where nf_conntrack_tcp_loose is 1
  /// the segment itself would open a flow: it must be 0, and the old entry gone.
  virtual Result<void> probe(const Endpoint& from, const Endpoint& to) = 0;

  /// The packet mark of announcements.
  static constexpr std::uint32_t kAnnouncement = 0x77736c34;
  /// Sends what looks like a flow's packet through the output hook, where a rule must drop it. TCP and UDP. ENOENT: no rule did;
  /// it went no further than the loopback interface, with a wrong checksum.
  virtual Result<void> announce(Protocol protocol, const Endpoint& from, const Endpoint& to) = 0;
};
/// Needs CAP_NET_RAW, and CAP_NET_ADMIN for the mark. Sends in the network namespace of the thread that opens it.
Result<std::unique_ptr<TcpProber>> open_tcp_prober();

}  // namespace wsl4::netlink
