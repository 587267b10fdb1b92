// A flow as a pair of nodes copies it: all that a standby's kernel needs to go on with it (kernel.md 3.1).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace wsl4::sync {

/// Time since any fixed point; it may stand still or jump, on either node.
using Time = std::chrono::microseconds;

enum class Family : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };
enum class Protocol : std::uint8_t { kTcp = 6, kUdp = 17 };  // IANA

/// In network order; IPv4 uses the first four bytes, the rest are zero.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  Family family = Family::kIpv4;
  friend bool operator==(const Address&, const Address&) = default;
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// Bits of Flow::flags. Those that have no name yet are copied as they are.
inline constexpr std::uint8_t kClosing = 1;  // an end has said that it closes

/// The original tuple is client -> VIP, the reply tuple backend -> SNAT address (mode snat) or backend -> client (mode dnat). All
/// four addresses are of one family. Which number a node gives the backend is its own business and not copied: it follows from VIP
/// and backend.
struct Flow {
  Protocol protocol = Protocol::kTcp;
  Endpoint client, vip;        // what a flow is known by, with the protocol
  Endpoint backend, snat;      // in mode dnat `snat` has the client's address
  std::uint8_t tcp_state = 0;  // kernel enum tcp_conntrack; 0 for UDP
  std::uint8_t wscale_original = 0, wscale_reply = 0;
  std::uint8_t tcp_flags_original = 0, tcp_flags_reply = 0;  // kernel IP_CT_TCP_FLAG_*
  std::uint8_t flags = 0;
  /// Seconds that it had left when it was last reported. Rides along: a change of it alone is not worth sending, and digests leave
  /// it out.
  std::uint32_t timeout_s = 0;
  friend bool operator==(const Flow&, const Flow&) = default;
};

}  // namespace wsl4::sync
