#include "netlink/checksum.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace wsl4::netlink {
namespace {

std::uint16_t checksum(const char* source, const char* destination, std::uint8_t protocol, const std::vector<std::uint8_t>& bytes) {
  return transport_checksum(*IpAddress::parse(source), *IpAddress::parse(destination), protocol, bytes);
}

TEST(TransportChecksum, FoldsThePseudoHeaderIn) {
  // c612 + 0001 + c612 + 0002 + 0011 + 0008 + 0001 + 0002 + 0008 = 18c4b, folded 8c4c, complement 73b3
  EXPECT_EQ(checksum("198.18.0.1", "198.18.0.2", 17, {0, 1, 0, 2, 0, 8, 0, 0}), 0x73b3);
}

TEST(TransportChecksum, PadsAnOddLengthWithZero) {
  // ab00 + length 1 = aaff + length 2
  EXPECT_EQ(checksum("198.18.0.1", "198.18.0.2", 17, {0xab}), checksum("198.18.0.1", "198.18.0.2", 17, {0xaa, 0xff}));
}

TEST(TransportChecksum, ASegmentWithItsChecksumSumsToZero) {
  for (const auto& [source, destination] : {std::pair{"198.18.0.1", "198.18.0.2"}, std::pair{"2001:db8::1", "ff02::1"}}) {
    std::vector<std::uint8_t> segment{0x88, 0, 0, 0, 0xa0, 0, 0, 0, 0xff, 0xff, 0x12, 0x34};
    const auto sum = checksum(source, destination, 58, segment);
    segment[2] = static_cast<std::uint8_t>(sum >> 8);
    segment[3] = static_cast<std::uint8_t>(sum);
    EXPECT_EQ(checksum(source, destination, 58, segment), 0);
    segment[9] ^= 1;
    EXPECT_NE(checksum(source, destination, 58, segment), 0);
  }
}

}  // namespace
}  // namespace wsl4::netlink
