// One raw socket (raw(7), ipv6(7)) for the adverts of one family on one interface, non-blocking.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daemon/election/advert.h"
#include "netlink/handle.h"
#include "netlink/result.h"

namespace wsl4::election {

/// The longest advert with the longest IPv4 header before it; what is longer is cut and so rejected.
using PacketBuffer = std::array<std::uint8_t, 60 + 8 + kMaxAdvertAddresses * 16 + 1>;

class AdvertSocket {
 public:
  /// Bound to the interface, member of the group unless `unicast`. Needs CAP_NET_RAW; ENODEV: no such interface.
  static netlink::Result<AdvertSocket> open(Family family, const std::string& interface, bool unicast);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] int interface_index() const { return interface_index_; }
  /// Protocol 112, TTL or hop limit 255, traffic class CS6, from `source`, which must be an address of this machine.
  netlink::Result<void> send(std::span<const std::uint8_t> message, const IpAddress& source, const IpAddress& destination) const;
  /// The next packet, within `buffer`; none: there is none, or it was none.
  std::optional<Packet> receive(PacketBuffer& buffer) const;

 private:
  AdvertSocket(netlink::Fd fd, Family family, int interface_index)
      : fd_(std::move(fd)), family_(family), interface_index_(interface_index) {}

  netlink::Fd fd_;
  Family family_;
  int interface_index_;
};

}  // namespace wsl4::election
