// Forged segments, written down instead of sent.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "netlink/tcp_probe.h"

namespace wsl4::test {

class RecordingProber final : public netlink::TcpProber {
 public:
  std::vector<std::pair<netlink::Endpoint, netlink::Endpoint>> probes;  // from, to
  std::function<void(netlink::Protocol, const netlink::Endpoint& from, const netlink::Endpoint& to)> on_announcement;

  netlink::Result<void> probe(const netlink::Endpoint& from, const netlink::Endpoint& to) override {
    probes.emplace_back(from, to);
    return {};
  }
  netlink::Result<void> announce(netlink::Protocol protocol, const netlink::Endpoint& from, const netlink::Endpoint& to) override {
    on_announcement(protocol, from, to);
    return {};
  }
};

}  // namespace wsl4::test
