#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "netlink/checksum.h"
#include "netlink/handle.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::netlink::rtnl {

namespace {

using Bytes = std::vector<std::uint8_t>;
using Mac = std::array<std::uint8_t, ETH_ALEN>;

constexpr Mac kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr Mac kAllNodesMac{0x33, 0x33, 0, 0, 0, 1};  // RFC 2464 7, of ff02::1

void put(Bytes& out, std::span<const std::uint8_t> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

/// RFC 826; source and target protocol address are the same: gratuitous.
Bytes arp_request(const Mac& mac, const IpAddress& address) {
  Bytes packet{0, 1, 0x08, 0x00, ETH_ALEN, 4, 0, 1};
  put(packet, mac);
  put(packet, address.bytes());
  put(packet, Mac{});
  put(packet, address.bytes());
  return packet;
}

/// RFC 4861 4.4. The router flag is set because a balancer forwards: without it a neighbour that knows the address as a router
/// would drop its routes through it.
Bytes neighbour_advertisement(const Mac& mac, const IpAddress& address) {
  constexpr std::uint8_t kType = 136, kRouter = 0x80, kOverride = 0x20, kTargetLinkLayerAddress = 2;
  Bytes message{kType, 0, 0, 0, kRouter | kOverride, 0, 0, 0};
  put(message, address.bytes());
  put(message, std::to_array<std::uint8_t>({kTargetLinkLayerAddress, 1}));
  put(message, mac);

  const IpAddress all_nodes = *IpAddress::parse("ff02::1");
  const auto checksum = transport_checksum(address, all_nodes, IPPROTO_ICMPV6, message);
  message[2] = static_cast<std::uint8_t>(checksum >> 8);
  message[3] = static_cast<std::uint8_t>(checksum);

  constexpr std::uint8_t kHopLimit = 255;  // receivers demand it
  Bytes packet{0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(message.size()), IPPROTO_ICMPV6, kHopLimit};
  put(packet, address.bytes());
  put(packet, all_nodes.bytes());
  put(packet, message);
  return packet;
}

class PacketAnnouncer final : public Announcer {
 public:
  explicit PacketAnnouncer(Fd socket) : socket_(std::move(socket)) {}

  Result<void> announce(const Link& link, const IpAddress& address) override {
    const auto what = [&] { return fmt::format("announce {} on {}", address.to_string(), link.name); };
    Mac mac{};
    if (link.mac.size() != mac.size()) return failure(EOPNOTSUPP, what());
    std::ranges::copy(link.mac, mac.begin());
    const bool ipv4 = address.family() == Family::kIpv4;
    const bool sent = ipv4 ? send(link.index, ETHERTYPE_ARP, kBroadcast, arp_request(mac, address))
                           : send(link.index, ETHERTYPE_IPV6, kAllNodesMac, neighbour_advertisement(mac, address));
    if (!sent) return failure_from_errno(what());
    return {};
  }

 private:
  bool send(int link_index, std::uint16_t ethertype, const Mac& to, const Bytes& packet) const {
    sockaddr_ll target{};
    target.sll_family = AF_PACKET;
    target.sll_protocol = htons(ethertype);
    target.sll_ifindex = link_index;
    target.sll_halen = ETH_ALEN;
    std::ranges::copy(to, target.sll_addr);
    return ::sendto(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&target),
                    sizeof target) >= 0;
  }

  Fd socket_;
};

}  // namespace

Result<std::unique_ptr<Announcer>> open_announcer() {
  Fd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));  // protocol 0: receives nothing
  if (!socket) return failure_from_errno("open packet socket");
  return std::make_unique<PacketAnnouncer>(std::move(socket));
}

}  // namespace wsl4::netlink::rtnl
