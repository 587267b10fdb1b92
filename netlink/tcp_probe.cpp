#include "netlink/tcp_probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
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

/// A bare ACK (RFC 9293 3.1) with sequence and acknowledgement 1: outside of nearly every window, hence answered.
Bytes segment_of(const Endpoint& from, const Endpoint& to) {
  constexpr std::size_t kChecksumAt = 16;
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

/// RFC 791; the kernel fills in identification and header checksum.
Bytes ipv4_packet(const Endpoint& from, const Endpoint& to) {
  const Bytes segment = segment_of(from, to);
  Bytes packet{0x45, 0};
  put_be16(packet, static_cast<std::uint16_t>(20 + segment.size()));
  put(packet, std::to_array<std::uint8_t>({0, 0, 0x40, 0, 64, IPPROTO_TCP, 0, 0}));  // don't fragment, 64 hops
  put(packet, from.address.bytes());
  put(packet, to.address.bytes());
  put(packet, segment);
  return packet;
}

/// RFC 8200.
Bytes ipv6_packet(const Endpoint& from, const Endpoint& to) {
  const Bytes segment = segment_of(from, to);
  Bytes packet{0x60, 0, 0, 0};
  put_be16(packet, static_cast<std::uint16_t>(segment.size()));
  put(packet, std::to_array<std::uint8_t>({IPPROTO_TCP, 64}));
  put(packet, from.address.bytes());
  put(packet, to.address.bytes());
  put(packet, segment);
  return packet;
}

class RawProber final : public TcpProber {
 public:
  RawProber(Fd ipv4, Fd ipv6) : ipv4_(std::move(ipv4)), ipv6_(std::move(ipv6)) {}

  Result<void> probe(const Endpoint& from, const Endpoint& to) override {
    const auto what = [&] { return fmt::format("probe {} from {}", to.to_string(), from.to_string()); };
    if (from.address.family() != to.address.family()) return failure(EAFNOSUPPORT, what());
    const bool ipv4 = to.address.family() == Family::kIpv4;
    const bool sent = ipv4 ? send_ipv4(ipv4_packet(from, to), to.address) : send_ipv6(ipv6_packet(from, to), to.address);
    if (!sent) return failure_from_errno(what());
    return {};
  }

 private:
  bool send_ipv4(const Bytes& packet, const IpAddress& to) const {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    std::ranges::copy(to.bytes(), reinterpret_cast<std::uint8_t*>(&target.sin_addr));
    return ::sendto(ipv4_.get(), packet.data(), packet.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&target),
                    sizeof target) >= 0;
  }

  bool send_ipv6(const Bytes& packet, const IpAddress& to) const {
    sockaddr_in6 target{};
    target.sin6_family = AF_INET6;  // the port must stay zero: a raw socket takes it for a protocol
    std::ranges::copy(to.bytes(), target.sin6_addr.s6_addr);
    return ::sendto(ipv6_.get(), packet.data(), packet.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&target),
                    sizeof target) >= 0;
  }

  Fd ipv4_;
  Fd ipv6_;
};

}  // namespace

Result<std::unique_ptr<TcpProber>> open_tcp_prober() {
  // IPPROTO_RAW: the header is ours in both families, and nothing is ever received.
  Fd ipv4(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!ipv4) return failure_from_errno("open raw IPv4 socket");
  Fd ipv6(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!ipv6) return failure_from_errno("open raw IPv6 socket");
  return std::make_unique<RawProber>(std::move(ipv4), std::move(ipv6));
}

}  // namespace wsl4::netlink
