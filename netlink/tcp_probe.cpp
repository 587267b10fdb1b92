#include "netlink/tcp_probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "netlink/checksum.h"
#include "netlink/handle.h"

namespace wsl4::netlink {

namespace {

using Bytes = std::vector<std::uint8_t>;

void put_be16(Bytes& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes& out, std::span<const std::uint8_t> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

constexpr std::size_t kChecksumAt = 16;

/// A bare ACK (RFC 9293 3.1) with sequence and acknowledgement 1: outside of nearly every window, hence answered.
Bytes segment_of(const Endpoint& from, const Endpoint& to) {
  Bytes segment;
  put_be16(segment, from.port);
  put_be16(segment, to.port);
  put(segment, std::to_array<std::uint8_t>({0, 0, 0, 1, 0, 0, 0, 1}));  // sequence, acknowledgement
  put(segment, std::to_array<std::uint8_t>({5 << 4, 0x10}));            // five words of header, ACK
  put_be16(segment, 1000);                                              // window
  put(segment, std::to_array<std::uint8_t>({0, 0, 0, 0}));              // checksum, urgent pointer
  const auto checksum = transport_checksum(from.address, to.address, IPPROTO_TCP, segment);
  segment[kChecksumAt] = static_cast<std::uint8_t>(checksum >> 8);
  segment[kChecksumAt + 1] = static_cast<std::uint8_t>(checksum);
  return segment;
}

/// Ports, and what conntrack wants of a header; no checksum.
Bytes announcement_of(Protocol protocol, const Endpoint& from, const Endpoint& to) {
  constexpr std::uint8_t kUdpHeader = 8;
  if (protocol == Protocol::kTcp) {
    Bytes segment = segment_of(from, to);
    segment[kChecksumAt] = segment[kChecksumAt + 1] = 0;
    return segment;
  }
  Bytes datagram;
  put_be16(datagram, from.port);
  put_be16(datagram, to.port);
  put(datagram, std::to_array<std::uint8_t>({0, kUdpHeader, 0, 1}));
  return datagram;
}

/// RFC 791; the kernel fills in identification and header checksum.
Bytes ipv4_packet(std::uint8_t protocol, const Endpoint& from, const Endpoint& to, const Bytes& segment) {
  Bytes packet{0x45, 0};
  put_be16(packet, static_cast<std::uint16_t>(20 + segment.size()));
  put(packet, std::to_array<std::uint8_t>({0, 0, 0x40, 0, 64, protocol, 0, 0}));  // don't fragment, 64 hops
  put(packet, from.address.bytes());
  put(packet, to.address.bytes());
  put(packet, segment);
  return packet;
}

/// RFC 8200.
Bytes ipv6_packet(std::uint8_t protocol, const Endpoint& from, const Endpoint& to, const Bytes& segment) {
  Bytes packet{0x60, 0, 0, 0};
  put_be16(packet, static_cast<std::uint16_t>(segment.size()));
  put(packet, std::to_array<std::uint8_t>({protocol, 64}));
  put(packet, from.address.bytes());
  put(packet, to.address.bytes());
  put(packet, segment);
  return packet;
}

/// IPPROTO_RAW: the header is ours in both families, and nothing is ever received.
struct RawSockets {
  Fd ipv4, ipv6;

  /// `mark`: of what is sent; 0: none.
  static Result<RawSockets> open(std::uint32_t mark) {
    RawSockets sockets{Fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)), {}};
    if (!sockets.ipv4) return failure_from_errno("open raw IPv4 socket");
    sockets.ipv6 = Fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!sockets.ipv6) return failure_from_errno("open raw IPv6 socket");
    for (const Fd* fd : {&sockets.ipv4, &sockets.ipv6})
      if (mark != 0 && ::setsockopt(fd->get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
        return failure_from_errno("mark raw socket");
    return sockets;
  }

  /// `to` is only where it is routed. False: errno tells why.
  [[nodiscard]] bool send(const Bytes& packet, const IpAddress& to) const {
    sockaddr_in target4{};
    target4.sin_family = AF_INET;
    sockaddr_in6 target6{};
    target6.sin6_family = AF_INET6;  // the port must stay zero: a raw socket takes it for a protocol
    const bool is_ipv4 = to.family() == Family::kIpv4;
    std::ranges::copy(to.bytes(), is_ipv4 ? reinterpret_cast<std::uint8_t*>(&target4.sin_addr) : target6.sin6_addr.s6_addr);
    const auto* target = is_ipv4 ? reinterpret_cast<const sockaddr*>(&target4) : reinterpret_cast<const sockaddr*>(&target6);
    const socklen_t size = is_ipv4 ? sizeof target4 : sizeof target6;
    return ::sendto((is_ipv4 ? ipv4 : ipv6).get(), packet.data(), packet.size(), MSG_DONTWAIT, target, size) >= 0;
  }
};

class RawProber final : public TcpProber {
 public:
  RawProber(RawSockets plain, RawSockets marked) : plain_(std::move(plain)), marked_(std::move(marked)) {}

  Result<void> probe(const Endpoint& from, const Endpoint& to) override {
    if (from.address.family() != to.address.family()) return failure(EAFNOSUPPORT, what("probe", from, to));
    if (!plain_.send(packet(IPPROTO_TCP, from, to, segment_of(from, to)), to.address))
      return failure_from_errno(what("probe", from, to));
    return {};
  }

  Result<void> announce(Protocol protocol, const Endpoint& from, const Endpoint& to) override {
    if (from.address.family() != to.address.family()) return failure(EAFNOSUPPORT, what("announce", from, to));
    const auto& loopback = to.address.family() == Family::kIpv4 ? loopback4_ : loopback6_;
    const auto bytes = packet(static_cast<std::uint8_t>(protocol), from, to, announcement_of(protocol, from, to));
    if (marked_.send(bytes, loopback)) return failure(ENOENT, what("announce", from, to));
    if (errno != EPERM) return failure_from_errno(what("announce", from, to));  // EPERM: a rule dropped it
    return {};
  }

 private:
  static std::string what(const char* verb, const Endpoint& from, const Endpoint& to) {
    return fmt::format("{} {} from {}", verb, to.to_string(), from.to_string());
  }
  static Bytes packet(std::uint8_t protocol, const Endpoint& from, const Endpoint& to, const Bytes& segment) {
    return to.address.family() == Family::kIpv4 ? ipv4_packet(protocol, from, to, segment)
                                                : ipv6_packet(protocol, from, to, segment);
  }

  RawSockets plain_, marked_;
  const IpAddress loopback4_ = *IpAddress::parse("127.0.0.1"), loopback6_ = *IpAddress::parse("::1");
};

}  // namespace

Result<std::unique_ptr<TcpProber>> open_tcp_prober() {
  auto plain = RawSockets::open(0);
  if (!plain) return tl::make_unexpected(plain.error());
  auto marked = RawSockets::open(TcpProber::kAnnouncement);
  if (!marked) return tl::make_unexpected(marked.error());
  return std::make_unique<RawProber>(std::move(*plain), std::move(*marked));
}

}  // namespace wsl4::netlink
