#include "daemon/election/transport.h"

#include <gtest/gtest.h>

#include "tests/unit/election/ip.h"

namespace wsl4::election {
namespace {

using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::kAddressProtocol;

const std::vector<InterfaceAddress> kAddresses{
    {1, ip("127.0.0.1"), 8, 0},      {2, ip("198.18.1.99"), 32, kAddressProtocol},
    {2, ip("198.18.1.98"), 32, 0},   {2, ip("198.18.1.2"), 24, 0},
    {2, ip("198.18.1.3"), 24, 0},    {2, ip("198.18.2.2"), 24, 0},
    {2, ip("2001:db8:1::2"), 64, 0}, {2, ip("fe80::99"), 128, kAddressProtocol},
    {2, ip("fe80::2"), 64, 0},       {3, ip("198.18.3.2"), 24, 0},
};
const std::vector<IpAddress> kVips{ip("198.18.1.98")};

std::string source(int link, Family family, std::optional<IpAddress> peer = {}) {
  const auto found = advert_source(kAddresses, link, family, peer, kVips);
  return found ? found->to_string() : "";
}

TEST(AdvertSource, IsTheFirstAddressThatStays) {
  EXPECT_EQ(source(2, Family::kIpv4), "198.18.1.2");
  EXPECT_EQ(source(3, Family::kIpv4), "198.18.3.2");
  EXPECT_EQ(source(4, Family::kIpv4), "");
}

TEST(AdvertSource, IsLinkLocalInIpv6) {
  EXPECT_EQ(source(2, Family::kIpv6), "fe80::2");
  EXPECT_EQ(source(3, Family::kIpv6), "");
}

TEST(AdvertSource, IsTheOneNextToThePeer) {
  EXPECT_EQ(source(2, Family::kIpv4, ip("198.18.2.77")), "198.18.2.2");
  EXPECT_EQ(source(2, Family::kIpv6, ip("2001:db8:1::77")), "2001:db8:1::2");
  EXPECT_EQ(source(2, Family::kIpv4, ip("198.19.0.1")), "");
}

}  // namespace
}  // namespace wsl4::election
