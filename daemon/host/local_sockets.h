// The TCP sockets of programs on this machine (proc(5), /proc/net/tcp and tcp6), by their own address and port.
#pragma once

#include <cstddef>
#include <istream>
#include <map>

#include "netlink/ip.h"

namespace wsl4::host {

struct LocalSockets {
  bool listens = false;
  std::size_t connections = 0;
  friend bool operator==(const LocalSockets&, const LocalSockets&) = default;
};
using LocalSocketsByEndpoint = std::map<netlink::Endpoint, LocalSockets>;

/// Adds what one of the two files tells. Sockets in TIME_WAIT belong to no program any more and are left out; IPv4 connections of
/// an IPv6 socket stand under the IPv4 address. Lines that make no sense are passed over.
void parse_sockets(std::istream& file, LocalSocketsByEndpoint& sockets);

/// Those of the calling thread's network namespace.
[[nodiscard]] LocalSocketsByEndpoint read_local_sockets();

}  // namespace wsl4::host
