// Forged segments, written down instead of sent.
#pragma once

#include <utility>
#include <vector>

#include "netlink/tcp_probe.h"

namespace wsl4::test {

class RecordingProber final : public netlink::TcpProber {
 public:
  std::vector<std::pair<netlink::Endpoint, netlink::Endpoint>> probes;  // from, to

  netlink::Result<void> probe(const netlink::Endpoint& from, const netlink::Endpoint& to) override {
    probes.emplace_back(from, to);
    return {};
  }
};

}  // namespace wsl4::test
