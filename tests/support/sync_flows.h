// Flows for tests of sync/.
#pragma once

#include <cstdint>

#include "sync/flow.h"

namespace wsl4::test {

/// 198.18.NET.HOST, or an IPv6 address of the same bytes and more.
inline sync::Endpoint sync_endpoint(sync::Family family, std::uint8_t net, std::uint8_t host, std::uint16_t port) {
  sync::Endpoint endpoint;
  endpoint.address.family = family;
  endpoint.address.bytes = {198, 18, net, host};
  if (family == sync::Family::kIpv6) endpoint.address.bytes[15] = 1;
  endpoint.port = port;
  return endpoint;
}

/// An established flow; those of different numbers below 2^24 have different original and reply tuples.
inline sync::Flow sync_flow(std::uint32_t number, sync::Family family = sync::Family::kIpv4) {
  sync::Flow flow;
  const auto port = static_cast<std::uint16_t>(number);
  flow.client = sync_endpoint(family, 1, static_cast<std::uint8_t>(number >> 16), port);
  flow.vip = sync_endpoint(family, 0, 100, 443);
  flow.backend = sync_endpoint(family, 2, static_cast<std::uint8_t>(number % 3), 8888);
  flow.snat = sync_endpoint(family, 3, static_cast<std::uint8_t>(number >> 16), port);
  flow.tcp_state = 3;
  flow.wscale_original = 7;
  flow.wscale_reply = 9;
  flow.tcp_flags_original = 0x23;
  flow.tcp_flags_reply = 0x33;
  flow.timeout_s = 432'000;
  return flow;
}

}  // namespace wsl4::test
