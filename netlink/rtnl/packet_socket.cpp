#include "netlink/rtnl/packet_socket.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace wsl4::netlink::rtnl {

Result<Fd> open_packet_socket() {
  Fd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));  // protocol 0: receives nothing
  if (!socket) return failure_from_errno("open packet socket");
  return socket;
}

Result<void> send(const Fd& socket, const Link& link, const IpAddress& address, Say say, std::string_view what) {
  const auto tried = [&] { return fmt::format("{} {} on {}", what, address.to_string(), link.name); };
  const auto mac = mac_of(link);
  if (!mac) return failure(EOPNOTSUPP, tried());
  const auto packet = say(*mac, address);
  sockaddr_ll target{};
  target.sll_family = AF_PACKET;
  target.sll_protocol = htons(packet.ethertype);
  target.sll_ifindex = link.index;
  target.sll_halen = static_cast<unsigned char>(packet.destination.size());
  std::ranges::copy(packet.destination, target.sll_addr);
  const auto sent = ::sendto(socket.get(), packet.bytes.data(), packet.bytes.size(), MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&target), sizeof target);
  if (sent < 0) return failure_from_errno(tried());
  return {};
}

}  // namespace wsl4::netlink::rtnl
