// Conntrack entries as values, as ctnetlink shows them (kernel net/netfilter/nf_conntrack_netlink.c).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "netlink/ip.h"

namespace wsl4::netlink::conntrack {

/// TCP states (kernel enum tcp_conntrack).
enum class TcpState : std::uint8_t {
  kNone,
  kSynSent,
  kSynRecv,
  kEstablished,
  kFinWait,
  kCloseWait,
  kLastAck,
  kTimeWait,
  kClose,
  kSynSent2
};

/// Bits of CTA_STATUS (kernel enum ip_conntrack_status).
namespace status {
inline constexpr std::uint32_t kSeenReply = 1U << 1;
inline constexpr std::uint32_t kAssured = 1U << 2;
inline constexpr std::uint32_t kConfirmed = 1U << 3;
inline constexpr std::uint32_t kSourceNat = 1U << 4;
inline constexpr std::uint32_t kDestinationNat = 1U << 5;
inline constexpr std::uint32_t kDying = 1U << 9;
}  // namespace status

/// Bits for `ct event set` (1 << kernel enum ip_conntrack_events).
namespace event_bit {
inline constexpr std::uint32_t kNew = 1U << 0;
inline constexpr std::uint32_t kDestroy = 1U << 2;
inline constexpr std::uint32_t kAssured = 1U << 4;
inline constexpr std::uint32_t kMark = 1U << 7;
}  // namespace event_bit

struct Tuple {
  Endpoint source;
  Endpoint destination;
  Protocol protocol = Protocol::kTcp;
  friend bool operator==(const Tuple&, const Tuple&) = default;
};

/// One entry. For a flow of a service: original = client -> VIP; reply = backend -> SNAT address (mode snat) or backend ->
/// client (mode dnat).
struct Flow {
  Tuple original;
  Tuple reply;
  std::uint32_t id = 0;      // CTA_ID: the same for the entry's life, others' are unlikely to be equal
  std::uint32_t status = 0;  // status:: bits
  std::uint32_t mark = 0;
  std::chrono::seconds timeout{0};       // remaining; 0 in destroy events
  TcpState tcp_state = TcpState::kNone;  // kNone: not told (UDP; destroy events of old kernels)
  // Window scales and flags as the kernel tells them for both directions; needed to inject the flow elsewhere.
  std::uint8_t wscale_original = 0, wscale_reply = 0;
  std::uint8_t tcp_flags_original = 0, tcp_flags_reply = 0;
  std::uint64_t start_ns = 0;  // when it began, wall clock since 1970; 0: not told (sysctl nf_conntrack_timestamp)
  friend bool operator==(const Flow&, const Flow&) = default;
};

}  // namespace wsl4::netlink::conntrack
