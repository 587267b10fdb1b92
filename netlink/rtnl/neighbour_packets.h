// What hosts of a link say of who has which address: ARP (RFC 826) and neighbour discovery (RFC 4861) as bytes, without the link's
// header.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "netlink/ip.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::netlink::rtnl {

struct Packet {
  std::uint16_t ethertype = 0;  // linux/if_ether.h
  Mac destination{};
  std::vector<std::uint8_t> bytes;
};

/// "`mac` has `address`": a gratuitous ARP request (RFC 5944 4.6), or a neighbour advertisement to all nodes (RFC 4861 7.2.6).
[[nodiscard]] Packet announcement(const Mac& mac, const IpAddress& address);

/// "Who else has `address`?": an ARP probe (RFC 5227 2.1.1), or a neighbour solicitation from :: (RFC 4862 5.4.2). The sender names
/// no address of its own, so that nobody learns from it.
[[nodiscard]] Packet probe(const Mac& mac, const IpAddress& address);

struct Holder {
  IpAddress address;
  Mac mac{};
  friend bool operator==(const Holder&, const Holder&) = default;
};

/// Whom an ARP packet or a neighbour advertisement names as holder of an address; nullopt: nobody, or it is neither.
[[nodiscard]] std::optional<Holder> holder_in(std::uint16_t ethertype, std::span<const std::uint8_t> packet);

}  // namespace wsl4::netlink::rtnl
