// Raw ctnetlink message parser: no allocation, no trust in lengths.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "netlink/conntrack/flow.h"

namespace wsl4::netlink::conntrack {

/// `payload` is the netlink message's body (struct nfgenmsg and attributes). nullopt: not TCP or UDP over IPv4 or IPv6, or broken.
[[nodiscard]] std::optional<Flow> parse_flow(std::span<const std::uint8_t> payload);

}  // namespace wsl4::netlink::conntrack
