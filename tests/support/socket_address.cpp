#include "tests/support/socket_address.h"

#include <netinet/in.h>
#include <sys/time.h>

#include <cstring>

namespace wsl4::test {

SocketAddress::SocketAddress(const netlink::Endpoint& endpoint) {
  const auto bytes = endpoint.address.bytes();
  if (endpoint.address.family() == netlink::Family::kIpv4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(endpoint.port);
    std::memcpy(&in->sin_addr, bytes.data(), bytes.size());
    size = sizeof *in;
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint.port);
    std::memcpy(&in6->sin6_addr, bytes.data(), bytes.size());
    size = sizeof *in6;
  }
}

netlink::Endpoint SocketAddress::endpoint() const {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    return {*netlink::IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&in.sin_addr), 4}), ntohs(in.sin_port)};
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
  return {*netlink::IpAddress::from_bytes({in6.sin6_addr.s6_addr, 16}), ntohs(in6.sin6_port)};
}

void set_deadline(int fd) {
  constexpr timeval kDeadline{30, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kDeadline, sizeof kDeadline);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kDeadline, sizeof kDeadline);
}

}  // namespace wsl4::test
