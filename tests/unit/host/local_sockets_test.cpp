#include "daemon/host/local_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <sstream>

#include "tests/support/desired_states.h"

namespace wsl4::host {
namespace {

using test::endpoint;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

static_assert(std::endian::native == std::endian::little, "the texts below are a little-endian machine's");

LocalSocketsByEndpoint parse(const std::string& text) {
  LocalSocketsByEndpoint sockets;
  std::istringstream file("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
                          text);
  parse_sockets(file, sockets);
  return sockets;
}

TEST(LocalSockets, Ipv4) {
  EXPECT_THAT(parse("   0: 0A0012C6:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 28127 1\n"
                    "   1: 0A0012C6:01BB 630012C6:C350 01 00000000:00000000 00:00000000 00000000     0        0 28127 1\n"
                    "   2: 0A0012C6:01BB 630012C6:C351 08 00000000:00000000 00:00000000 00000000     0        0 28127 1\n"
                    "   3: 0A0012C6:01BB 630012C6:C352 06 00000000:00000000 00:00000000 00000000     0        0 0 3\n"
                    "   4: 0A0012C6:0016 630012C6:C352 06 00000000:00000000 00:00000000 00000000     0        0 0 3\n"),
              ElementsAre(Pair(endpoint("198.18.0.10:443"), LocalSockets{true, 2})));
}

TEST(LocalSockets, Ipv6AndIpv4WithinIt) {
  EXPECT_THAT(parse("   0: B80D0120000000000000000010000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000\n"
                    "   1: 0000000000000000FFFF00000A0012C6:0050 0000000000000000FFFF0000630012C6:C350 01 00000000:00000000\n"),
              ElementsAre(Pair(endpoint("198.18.0.10:80"), LocalSockets{false, 1}),
                          Pair(endpoint("[2001:db8::10]:80"), LocalSockets{true, 0})));
}

TEST(LocalSockets, AHalfLineTakesNothingFromTheOneBefore) {
  EXPECT_THAT(parse("0: 0A0012C6:01BB 630012C6:C350 01\n1: 0A0012C6:01BB\n"),
              ElementsAre(Pair(endpoint("198.18.0.10:443"), LocalSockets{false, 1})));
}

TEST(LocalSockets, LinesThatMakeNoSenseArePassedOver) {
  EXPECT_THAT(parse("\n0:\n0: 0A0012C6 0 0A\n0: 0A0012:01BB 0 0A\n0: 0A0012C6:01BBBB 0 0A\n0: 0A0012C6:01BB 0 XX\n"), IsEmpty());
}

}  // namespace
}  // namespace wsl4::host
