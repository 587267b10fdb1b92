// Endpoints as the socket calls take and give them, and sockets that do not wait for ever.
#pragma once

#include <sys/socket.h>

#include "netlink/ip.h"

namespace wsl4::test {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  SocketAddress() = default;
  explicit SocketAddress(const netlink::Endpoint& endpoint);
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] netlink::Endpoint endpoint() const;
};

/// Reads and writes of a test's socket fail after half a minute.
void set_deadline(int fd);

}  // namespace wsl4::test
