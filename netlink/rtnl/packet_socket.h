// Packets to the hosts of a link (packet(7)), without the link's header.
#pragma once

#include "netlink/handle.h"
#include "netlink/result.h"
#include "netlink/rtnl/neighbour_packets.h"

namespace wsl4::netlink::rtnl {

/// Receives nothing. Needs CAP_NET_RAW.
[[nodiscard]] Result<Fd> open_packet_socket();

/// `what` is for the error.
[[nodiscard]] Result<void> send(const Fd& socket, const Link& link, const Packet& packet, std::string_view what);

}  // namespace wsl4::netlink::rtnl
