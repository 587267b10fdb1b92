// The fake of nf_tables against the real one: the same transactions, the same refusals, the same table afterwards.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "netlink/nft/layout.h"
#include "netlink/nft/nftables.h"
#include "tests/support/fake_nftables.h"
#include "tests/support/namespace.h"
#include "tests/support/sample_tables.h"

namespace wsl4::netlink::nft {
namespace {

class NftFake : public testing::TestWithParam<Family> {
 protected:
  NftFake() : kernel_(where_.run([] { return KernelNftables::open().value(); })) {}

  /// Both answer with this errno, 0 for success, and hold the same table afterwards.
  void expect_both(const Transaction& transaction, int code) {
    const auto real = kernel_->commit(transaction), fake = fake_.commit(transaction);
    EXPECT_EQ(real ? 0 : real.error().code, code) << transaction.to_text() << (real ? "" : real.error().message());
    EXPECT_EQ(fake ? 0 : fake.error().code, code) << transaction.to_text() << (fake ? "" : fake.error().message());
    EXPECT_TRUE(kernel_->read_table("wsl4").value() == fake_.read_table("wsl4").value()) << transaction.to_text();
  }
  void expect_both(Operation operation, int code) {
    Transaction transaction("wsl4");
    transaction.add(std::move(operation));
    expect_both(transaction, code);
  }

  const test::Namespace where_{"fake"};
  std::unique_ptr<KernelNftables> kernel_;
  test::FakeNftables fake_;
};

TEST_P(NftFake, PortBlocks) {
  const auto table = test::port_blocks(GetParam());
  const auto& map = table.sets.at("blocks");
  const auto spec = without_elements(map);
  const ElementList first{*map.elements.begin()};
  expect_both(build_table(table), 0);

  expect_both(DeleteSet{"blocks"}, EBUSY);
  expect_both(AddElements{"blocks", spec, first}, EEXIST);
  expect_both(AddElements{"blocks", spec, {{KeyBuilder().add_slot(2).take(), first[0].second}}}, ENFILE);
  expect_both(DeleteElements{"blocks", spec, first}, 0);
  expect_both(DeleteElements{"blocks", spec, first}, ENOENT);
  expect_both(AddElements{"blocks", spec, first}, 0);

  Transaction swap("wsl4");
  swap.add(DeleteElements{"blocks", spec, first});
  swap.add(AddElements{"blocks", spec, {{first[0].first, map.elements.rbegin()->second}}});
  expect_both(swap, 0);

  auto rule = table.chains.at("postrouting").rules[0];
  std::get<SnatFromBlocks>(rule.statements.at(1)).map = "missing";
  expect_both(AddRule{"postrouting", rule}, ENOENT);
}

TEST_P(NftFake, FlushedSets) {
  const auto table = test::port_blocks(GetParam());
  expect_both(build_table(table), 0);
  expect_both(FlushSet{"blocks"}, 0);
  expect_both(FlushSet{"blocks"}, 0);
  expect_both(FlushSet{"missing"}, ENOENT);
}

TEST_P(NftFake, ClientLimits) {
  const auto table = test::client_limits(GetParam());
  const auto spec = table.sets.at("connections");
  expect_both(build_table(table), 0);
  expect_both(DeleteSet{"connections"}, EBUSY);
  expect_both(AddElements{"connections", spec, {{Bytes(padded_size(spec.key)), {}}}}, 0);
  expect_both(AddRule{"limits", {{LimitClientConnections{GetParam(), "missing", 2}}, ""}}, ENOENT);

  Transaction remove("wsl4");
  remove.add(FlushChain{"limits"});
  remove.add(DeleteSet{"connections"});
  remove.add(DeleteSet{"rates"});
  expect_both(remove, 0);
}

TEST_P(NftFake, ClientLimitsWantTheirKindOfSet) {
  const auto table = test::client_limits(GetParam());
  expect_both(build_table(table), 0);
  const auto connections = [&](const char* set) { return AddRule{"limits", {{LimitClientConnections{GetParam(), set, 2}}, ""}}; };
  expect_both(connections("over"), EINVAL);
  expect_both(connections("rates"), EOPNOTSUPP);

  auto other = table.sets.at("over");
  other.size = 10;
  expect_both(AddSet{"sized", other}, 0);
  expect_both(connections("sized"), EOPNOTSUPP);
  other.timeout = std::chrono::seconds(1);
  expect_both(AddSet{"timed", other}, 0);
  expect_both(AddRule{"limits", {{LimitClientRate{GetParam(), "timed", 1, 1}}, ""}}, EINVAL);
}

INSTANTIATE_TEST_SUITE_P(Families, NftFake, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& family) { return family.param == Family::kIpv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace wsl4::netlink::nft
