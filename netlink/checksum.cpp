#include "netlink/checksum.h"

namespace wsl4::netlink {

namespace {

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
  return sum;
}

}  // namespace

std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 std::span<const std::uint8_t> segment) {
  // The pseudo-headers of both families sum to the same: addresses, length, protocol; all else in them is zero.
  std::uint32_t sum = sum_of(source.bytes()) + sum_of(destination.bytes()) + sum_of(segment);
  sum += static_cast<std::uint32_t>(segment.size()) + protocol;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace wsl4::netlink
