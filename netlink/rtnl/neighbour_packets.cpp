#include "netlink/rtnl/neighbour_packets.h"

#include <net/ethernet.h>
#include <netinet/in.h>

#include <algorithm>

#include "netlink/checksum.h"

namespace wsl4::netlink::rtnl {

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr Mac kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr std::array<std::uint8_t, 6> kArpOfEthernetAndIpv4{0, 1, 0x08, 0x00, ETH_ALEN, 4};
constexpr std::size_t kArpSize = 28, kArpSenderMac = 8, kArpSenderAddress = 14;
constexpr std::uint8_t kSolicitation = 135, kAdvertisement = 136;
constexpr std::uint8_t kHopLimit = 255;  // receivers demand it
constexpr std::size_t kIpv6Header = 40, kNextHeader = 6, kHopLimitAt = 7;
constexpr std::size_t kTarget = 8, kOptions = 24;  // of the ICMPv6 message
constexpr std::uint8_t kTargetLinkLayerAddress = 2;

void put(Bytes& out, std::span<const std::uint8_t> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

Packet arp_request(const Mac& mac, const IpAddress& sender, const IpAddress& target) {
  Bytes bytes;
  put(bytes, kArpOfEthernetAndIpv4);
  put(bytes, std::to_array<std::uint8_t>({0, 1}));
  put(bytes, mac);
  put(bytes, sender.bytes());
  put(bytes, Mac{});
  put(bytes, target.bytes());
  return {ETHERTYPE_ARP, kBroadcast, std::move(bytes)};
}

Packet icmpv6(const IpAddress& source, const IpAddress& destination, Bytes message) {
  const auto checksum = transport_checksum(source, destination, IPPROTO_ICMPV6, message);
  message[2] = static_cast<std::uint8_t>(checksum >> 8);
  message[3] = static_cast<std::uint8_t>(checksum);

  Bytes bytes{0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(message.size()), IPPROTO_ICMPV6, kHopLimit};
  put(bytes, source.bytes());
  put(bytes, destination.bytes());
  put(bytes, message);
  const auto group = destination.bytes().last(4);
  return {ETHERTYPE_IPV6, {0x33, 0x33, group[0], group[1], group[2], group[3]}, std::move(bytes)};  // RFC 2464 7
}

/// RFC 4861 4.4. The router flag is set because a balancer forwards: without it a neighbour that knows the address as a router
/// would drop its routes through it.
Packet neighbour_advertisement(const Mac& mac, const IpAddress& address) {
  constexpr std::uint8_t kRouter = 0x80, kOverride = 0x20;
  Bytes message{kAdvertisement, 0, 0, 0, kRouter | kOverride, 0, 0, 0};
  put(message, address.bytes());
  put(message, std::to_array<std::uint8_t>({kTargetLinkLayerAddress, 1}));
  put(message, mac);
  return icmpv6(address, *IpAddress::parse("ff02::1"), std::move(message));
}

/// RFC 4861 4.3, to the address's solicited-node group (RFC 4291 2.7.1).
Packet neighbour_solicitation(const IpAddress& address) {
  Bytes message{kSolicitation, 0, 0, 0, 0, 0, 0, 0};
  put(message, address.bytes());
  Bytes group{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  put(group, address.bytes().last(3));
  return icmpv6(*IpAddress::parse("::"), *IpAddress::from_bytes(group), std::move(message));
}

Mac mac_at(std::span<const std::uint8_t> bytes) {
  Mac mac{};
  std::ranges::copy(bytes.first(mac.size()), mac.begin());
  return mac;
}

/// Requests and answers tell it alike; who probes has no address yet.
std::optional<Holder> holder_in_arp(std::span<const std::uint8_t> packet) {
  if (packet.size() < kArpSize || !std::ranges::equal(packet.first(kArpOfEthernetAndIpv4.size()), kArpOfEthernetAndIpv4))
    return std::nullopt;
  const auto sender = *IpAddress::from_bytes(packet.subspan(kArpSenderAddress, 4));
  if (sender.is_unspecified()) return std::nullopt;
  return Holder{sender, mac_at(packet.subspan(kArpSenderMac))};
}

std::optional<Holder> holder_in_advertisement(std::span<const std::uint8_t> packet) {
  if (packet.size() < kIpv6Header + kOptions || packet[kNextHeader] != IPPROTO_ICMPV6 || packet[kHopLimitAt] != kHopLimit)
    return std::nullopt;
  const auto message = packet.subspan(kIpv6Header);
  if (message[0] != kAdvertisement) return std::nullopt;
  const auto target = *IpAddress::from_bytes(message.subspan(kTarget, 16));
  constexpr std::size_t kUnit = 8;  // lengths of options count eights of bytes
  for (auto options = message.subspan(kOptions); options.size() >= kUnit;) {
    const std::size_t length = options[1] * kUnit;
    if (length == 0 || length > options.size()) break;
    if (options[0] == kTargetLinkLayerAddress) return Holder{target, mac_at(options.subspan(2))};
    options = options.subspan(length);
  }
  return std::nullopt;
}

}  // namespace

Packet announcement(const Mac& mac, const IpAddress& address) {
  return address.family() == Family::kIpv4 ? arp_request(mac, address, address) : neighbour_advertisement(mac, address);
}

Packet probe(const Mac& mac, const IpAddress& address) {
  return address.family() == Family::kIpv4 ? arp_request(mac, IpAddress{}, address) : neighbour_solicitation(address);
}

std::optional<Holder> holder_in(std::uint16_t ethertype, std::span<const std::uint8_t> packet) {
  switch (ethertype) {
    case ETHERTYPE_ARP:
      return holder_in_arp(packet);
    case ETHERTYPE_IPV6:
      return holder_in_advertisement(packet);
    default:
      return std::nullopt;
  }
}

}  // namespace wsl4::netlink::rtnl
