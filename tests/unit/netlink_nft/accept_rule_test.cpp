// Rules as iptables 1.8.9 puts them into the kernel; those of nft are in tests/integration/host_check_test.cpp.
#include "netlink/nft/accept_rule.h"

#include <gtest/gtest.h>

#include <charconv>
#include <string>

namespace wsl4::netlink::nft {
namespace {

std::string zeros(std::size_t bytes) { return std::string(2 * bytes, '0'); }

/// `-m conntrack` with match_flags, invert_flags and state_mask, as they lie in memory; all else in the structure is zero.
std::string conntrack(const std::string& flags) {
  return "d80001000a0001006d61746368000000c80002000e000100636f6e6e747261636b0000000800020000000003ac000300" + zeros(146) + flags +
         zeros(16);
}
const std::string kDnat = conntrack("010000008000"), kRelatedEstablishedDnat = conntrack("010000008600"),
                  kNotDnat = conntrack("010001008000"), kRelated = conntrack("010000000400"),
                  kDnatAndStatus = conntrack("030000008000"),
                  kCounter = "2c0001000c000100636f756e746572001c0002000c00010000000000000000000c0002000000000000000000",
                  kVerdict = "300001000e000100696d6d6564696174650000001c0002000800010000000000100002000c00020008000100000000",
                  kAccept = kVerdict + "01", kDrop = kVerdict + "00",
                  kIifname =
                      "24000100090001006d6574610000000014000200080002000000000608000100000000013000010008000100636d70002400"
                      "02000800010000000001080002000000000010000300090001006574683000000000",
                  kComment =
                      "2c0101000a0001006d617463680000001c0102000c000100636f6d6d656e74000800020000000000040103007773"
                      "6c34" +
                      zeros(252);

std::vector<std::uint8_t> bytes(const std::string& hex) {
  std::vector<std::uint8_t> out(hex.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) std::from_chars(&hex[2 * i], &hex[2 * i] + 2, out[i], 16);
  return out;
}

bool accepts(const std::string& expressions) { return accepts_translated(bytes(expressions)); }

TEST(AcceptRule, IptablesAcceptsTranslatedFlows) {
  EXPECT_TRUE(accepts(kDnat + kCounter + kAccept));
  EXPECT_TRUE(accepts(kRelatedEstablishedDnat + kCounter + kAccept));
  EXPECT_TRUE(accepts(kDnat + kComment + kCounter + kAccept));
}

TEST(AcceptRule, OtherRulesDoNot) {
  EXPECT_FALSE(accepts(""));
  EXPECT_FALSE(accepts(kCounter + kAccept));
  EXPECT_FALSE(accepts(kDnat + kCounter + kDrop));
  EXPECT_FALSE(accepts(kNotDnat + kCounter + kAccept));
  EXPECT_FALSE(accepts(kRelated + kCounter + kAccept));
  EXPECT_FALSE(accepts(kDnatAndStatus + kCounter + kAccept));
  EXPECT_FALSE(accepts(kIifname + kDnat + kCounter + kAccept));
}

TEST(AcceptRule, HalfARuleIsNone) {
  const auto whole = bytes(kDnat + kCounter + kAccept);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(accepts_translated(std::vector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
}

}  // namespace
}  // namespace wsl4::netlink::nft
