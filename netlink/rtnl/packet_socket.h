// Packets to the hosts of a link (packet(7)), without the link's header.
#pragma once

#include "netlink/handle.h"
#include "netlink/result.h"
#include "netlink/rtnl/neighbour_packets.h"

namespace wsl4::netlink::rtnl {

/// Receives nothing. Needs CAP_NET_RAW.
[[nodiscard]] Result<Fd> open_packet_socket();

/// What `say` makes of the link's own MAC address and this address. The error begins with `what`: "announce 198.18.1.100 on eth0:
/// …"; EOPNOTSUPP: the link is no Ethernet.
using Say = Packet (*)(const Mac& mac, const IpAddress& address);
[[nodiscard]] Result<void> send(const Fd& socket, const Link& link, const IpAddress& address, Say say, std::string_view what);

}  // namespace wsl4::netlink::rtnl
