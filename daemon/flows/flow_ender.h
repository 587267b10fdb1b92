// Ends flows so that both ends learn of it at once. Lives on the kernel thread.
//
// The flow's entry is deleted; without it the next packet of either end meets the guard, which resets the connection. A forged
// segment makes silent ends send one (netlink/tcp_probe.h). A UDP flow has nothing to reset: its client's next datagram is a new
// flow.
#pragma once

#include <cstdint>
#include <span>

#include "netlink/conntrack/conntrack.h"
#include "netlink/tcp_probe.h"

namespace wsl4::flows {

class FlowEnder {
 public:
  enum class Tell : std::uint8_t {
    kBothEnds,
    kClient,  // the backend is dead
  };

  FlowEnder(netlink::conntrack::Conntrack& conntrack, netlink::TcpProber& prober) : conntrack_(conntrack), prober_(prober) {}

  /// Only these very entries (by conntrack id). Returns how many there were still. After an error some may be left: single ones
  /// that the kernel refused, or, where its answers were lost, nobody knows which.
  netlink::Result<std::size_t> end(std::span<const netlink::conntrack::Flow> flows, Tell tell);

 private:
  void probe(const netlink::Endpoint& from, const netlink::Endpoint& to);

  netlink::conntrack::Conntrack& conntrack_;
  netlink::TcpProber& prober_;
};

}  // namespace wsl4::flows
