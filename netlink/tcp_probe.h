// Forged bare TCP segments that make an end of a forgotten flow ask again (RFC 5961 5: an old sequence number is answered by an
// ACK). With its conntrack entry gone, that answer meets the guard, which resets the connection with the right numbers.
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
};
/// Needs CAP_NET_RAW. Sends in the network namespace of the thread that opens it.
Result<std::unique_ptr<TcpProber>> open_tcp_prober();

}  // namespace wsl4::netlink
