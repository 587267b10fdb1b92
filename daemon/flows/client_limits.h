// Copies of flows count for the limits of their clients: each is announced to the kernel's rules right before its entry is put
// there (netlink/nft/ruleset.h, LimitClientConnections), so that a takeover forgets nobody's connections. Lives on the kernel
// thread.
#pragma once

#include <set>
#include <tuple>

#include "daemon/service/state_change.h"
#include "netlink/conntrack/flow.h"
#include "netlink/tcp_probe.h"

namespace wsl4::flows {

class ClientLimits {
 public:
  explicit ClientLimits(netlink::TcpProber& prober) : prober_(prober) {}

  /// `change` is being made in `before`.
  void follow(const service::StateChange& change, const service::DesiredState& before);
  /// Whether the flow's service limits the connections of a client.
  [[nodiscard]] bool concern(const netlink::conntrack::Flow& flow) const;
  /// To be called for such a flow, which has no entry, right before it gets one. A failure is told once for a while, and no more:
  /// the flow then does not count.
  void announce(const netlink::conntrack::Flow& flow);

 private:
  using Listen = std::tuple<netlink::Protocol, netlink::Endpoint>;

  netlink::TcpProber& prober_;
  std::set<Listen> limited_;
  bool failing_ = false;
};

}  // namespace wsl4::flows
