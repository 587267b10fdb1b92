// The internet checksum (RFC 1071) of a transport segment with its pseudo-header (RFC 9293 3.1, RFC 8200 8.1).
#pragma once

#include <cstdint>
#include <span>

#include "netlink/ip.h"

namespace wsl4::netlink {

/// Of `segment`, whose checksum field is zero, sent from `source` to `destination` (of one family) as `protocol`. In host order:
/// to be stored high byte first.
[[nodiscard]] std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                               std::span<const std::uint8_t> segment);

}  // namespace wsl4::netlink
