// What is not part of a plan yet: port blocks and client limits as the kernel and nft see them.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "daemon/dataplane/diff.h"
#include "netlink/nft/nftables.h"
#include "tests/support/nft_listing.h"
#include "tests/support/sample_tables.h"

namespace wsl4::netlink::nft {
namespace {

class NftLanguage : public testing::TestWithParam<Family> {
 protected:
  NftLanguage() : kernel_(ours_.run([] { return KernelNftables::open().value(); })) {}

  void commit(const Transaction& transaction) {
    const auto committed = kernel_->commit(transaction);
    ASSERT_TRUE(committed) << committed.error().message();
  }
  Table table() { return kernel_->read_table("wsl4").value().value(); }

  const test::Namespace ours_{"lang"}, theirs_{"lang"};
  std::unique_ptr<KernelNftables> kernel_;
};

std::string list(const test::Namespace& where) { return where.must("nft list table inet wsl4"); }

TEST_P(NftLanguage, TablesAreReadBack) {
  for (const auto& want : {test::port_blocks(GetParam()), test::client_limits(GetParam())}) {
    commit(build_table(want));
    EXPECT_EQ(table(), want);
    EXPECT_TRUE(dataplane::diff(table(), want).empty());
    ours_.must("nft delete table inet wsl4");
  }
}

TEST_P(NftLanguage, LimitsAreWhatNftMakesOfTheirText) {
  const auto build = build_table(test::client_limits(GetParam()));
  commit(build);
  theirs_.must("nft -f -", build.to_text());
  EXPECT_EQ(list(ours_), list(theirs_));
}

TEST_P(NftLanguage, BlocksAreListedReadably) {
  commit(build_table(test::port_blocks(GetParam())));
  const auto text = list(ours_);
  const std::string address = GetParam() == Family::kIpv4 ? "198.18.2.101" : "2001:db8:2::101";
  const std::string family = GetParam() == Family::kIpv4 ? "ip" : "ip6";
  EXPECT_NE(text.find("0 comment \"a block\" : " + address + " . 1024-1151"), std::string::npos) << text;
  EXPECT_NE(text.find("1 : " + address + " . 1152-1279"), std::string::npos) << text;
  EXPECT_NE(text.find("snat " + family + " to numgen inc mod 2 map @blocks comment \"every port\""), std::string::npos) << text;
}

TEST_P(NftLanguage, BlocksAreReplacedInOneTransaction) {
  auto have = test::port_blocks(GetParam());
  commit(build_table(have));
  auto want = have;
  auto& elements = want.sets.at("blocks").elements;
  std::swap(elements.begin()->second, elements.rbegin()->second);
  const auto change = dataplane::diff(have, want);
  ASSERT_EQ(change.operations().size(), 2U) << change.to_text();
  commit(change);
  EXPECT_EQ(table(), want);
}

INSTANTIATE_TEST_SUITE_P(Families, NftLanguage, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& family) { return family.param == Family::kIpv4 ? "Ipv4" : "Ipv6"; });

using NftText = NftLanguage;

TEST_F(NftText, BlocksOfIpv4AreWhatNftMakesOfTheirText) {
  const auto build = build_table(test::port_blocks(Family::kIpv4));
  commit(build);
  theirs_.must("nft -f -", build.to_text());
  EXPECT_EQ(test::nft_listing(ours_), test::nft_listing(theirs_));
}

TEST_F(NftText, OfBlocksOfIpv6NftTakesTheWrongRegisters) {
  const auto checked = theirs_.exec("nft --debug=netlink -c -f -", build_table(test::port_blocks(Family::kIpv6)).to_text());
  EXPECT_NE(checked.output.find("addr_min reg 1 addr_max reg 3 proto_min reg 2 proto_max reg 4"), std::string::npos)
      << checked.output;
}

TEST_F(NftText, BlocksOfOnePortNftDoesNotLoad) {
  Table lone = test::port_blocks(Family::kIpv4);
  lone.sets["blocks"] = test::blocks_of(IpAddress::parse("198.18.2.101").value(), 2, 5, 1);
  commit(build_table(lone));
  EXPECT_EQ(table(), lone);
  const auto one_port = theirs_.exec("nft -f -", build_table(lone).to_text());
  EXPECT_NE(one_port.status, 0);
  EXPECT_NE(one_port.output.find("Invalid argument"), std::string::npos) << one_port.output;
}

}  // namespace
}  // namespace wsl4::netlink::nft
