// VRRPv3 advertisements as they are on the wire (RFC 9568 5.2), of both families. Pure.
//
//      0                   1                   2                   3
//     |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//     |(rsvd) |    Max Advertise Interval (cs)        |   Checksum    |     4, 12 and 16 bits
//     |                         IPvX addresses                        |
//
// The checksum. RFC 9568 5.2.8 leaves the pseudo-header out of it for IPv4; RFC 5798 was read to include it, and keepalived, FRR's
// default and tcpdump do. So it is sent with it, and taken with or without. IPv6 always has it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::election {

using netlink::Family;
using netlink::IpAddress;

inline constexpr std::uint8_t kVrrpProtocol = 112;  // IANA; of the IPv4 header, and IPv6's next header
inline constexpr int kAdvertTtl = 255;              // RFC 9568 5.1.1.3, 5.1.2.3: what has passed a router is nobody's advert
inline constexpr std::size_t kMaxAdvertAddresses = 255;
inline constexpr std::chrono::milliseconds kMinAdvertInterval{10}, kMaxAdvertInterval{40'950};  // 12 bits of centiseconds, not 0

/// 224.0.0.18, ff02::12 (RFC 9568 5.1.1.2, 5.1.2.2).
[[nodiscard]] IpAddress advert_group(Family family);

struct Advert {
  std::uint8_t vrid = 0;                  // virtual_router_id, 1-255
  std::uint8_t priority = 0;              // 0: the sender stops being active; 255: it owns the addresses
  std::chrono::milliseconds interval{0};  // Max Advertise Interval, in steps of 10 ms
  std::vector<IpAddress> addresses;       // VIPs, of one family, 1-255
  friend bool operator==(const Advert&, const Advert&) = default;
};

/// What goes behind the IP header, with the checksum for these addresses. The error says what does not fit into an advert.
[[nodiscard]] tl::expected<std::vector<std::uint8_t>, std::string> encode(const Advert& advert, const IpAddress& source,
                                                                          const IpAddress& destination);

/// A packet as it came.
struct Packet {
  IpAddress source, destination;
  int ttl = 0;                            // TTL or hop limit; -1 where the kernel told none
  std::span<const std::uint8_t> message;  // behind the IP header
};

/// Whose adverts are listened to.
struct Listening {
  std::uint8_t vrid = 0;
  std::optional<IpAddress> unicast_peer;  // only from this one; none: only those sent to the group
};

/// Why a packet is nobody's advert. Looked for in this order; what is too short for a header is kLength.
enum class Rejection : std::uint8_t {
  kTtl,          // is not 255
  kStranger,     // not from unicast_peer; or not to the group; or not from an IPv6 link-local address (RFC 9568 5.1.2.1)
  kVersion,      // is not 3
  kType,         // is not 1
  kLength,       // shorter or longer than its count of addresses
  kChecksum,     //
  kVrid,         // of another virtual router
  kNoAddresses,  // a count of 0 (RFC 9568 5.2.5)
  kInterval,     // 0
};
inline constexpr std::size_t kRejections = 9;
[[nodiscard]] std::string_view to_string(Rejection rejection);

/// Reserved bits are ignored (RFC 9568 5.2.6). Which addresses an advert lists makes no difference to its being one (7.1: MAY).
[[nodiscard]] tl::expected<Advert, Rejection> decode(const Packet& packet, const Listening& listening);

}  // namespace wsl4::election
