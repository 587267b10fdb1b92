// What somebody else may do to a table that nobody owns (kernels before 6.9), and that it is put right whatever it was.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "daemon/dataplane/applier.h"
#include "netlink/nft/nftables.h"
#include "tests/support/desired_states.h"
#include "tests/support/namespace.h"

namespace wsl4::dataplane {
namespace {

using netlink::nft::KernelNftables;

struct Edit {
  const char* name;
  const char* commands;  // nft's
};
void PrintTo(const Edit& edit, std::ostream* out) { *out << edit.name; }

class DataplaneRepair : public testing::TestWithParam<Edit> {
 protected:
  /// In one piece, as the table is built anew: nft lists things in the order in which they came.
  void SetUp() override {
    ASSERT_TRUE(kernel_->commit(netlink::nft::build_table(plan(test::two_services()))));
    ASSERT_TRUE(applier_.apply(test::difference({}, test::two_services())));
  }
  netlink::nft::Table table() { return kernel_->read_table(kTableName).value().value(); }

  const test::Namespace where_{"repair"};
  std::unique_ptr<KernelNftables> kernel_ = where_.run([] { return KernelNftables::open().value(); });
  Applier applier_{*kernel_, {}};
};

TEST_P(DataplaneRepair, PutsRight) {
  const auto want = table();
  const auto listing = where_.must("nft -s list table inet wsl4");
  where_.must("nft -f -", GetParam().commands);
  ASSERT_NE(where_.must("nft -s list table inet wsl4"), listing);
  const auto repaired = applier_.repair();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_GT(repaired->objects, 0U);
  EXPECT_EQ(table(), want);
  EXPECT_EQ(where_.must("nft -s list table inet wsl4"), listing);
  EXPECT_EQ(applier_.repair()->objects, 0U);
}

TEST_P(DataplaneRepair, ADaemonThatStartsPutsItRightToo) {
  const auto want = table();
  where_.must("nft -f -", GetParam().commands);
  Applier next(*kernel_, {});
  ASSERT_TRUE(next.adopt(test::two_services().mark));
  const auto applied = next.apply(test::difference({}, test::two_services()));
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_GT(applied->objects, 0U);
  EXPECT_EQ(table(), want);
}

INSTANTIATE_TEST_SUITE_P(
    Edits, DataplaneRepair,
    testing::Values(Edit{"RuleWithAnonymousSet", "add rule inet wsl4 forward tcp dport { 22, 23 } drop"},
                    Edit{"RuleWithAnonymousMap", "add rule inet wsl4 forward tcp dport vmap { 22 : drop, 23 : accept }"},
                    Edit{"RuleWithAnonymousChain", "add rule inet wsl4 forward tcp dport 22 jump { counter; drop; }"},
                    Edit{"NamedSet",
                         "add set inet wsl4 bad { type ipv4_addr; flags interval; }\n"
                         "add element inet wsl4 bad { 198.18.9.0/24 }\nadd rule inet wsl4 forward ip saddr @bad drop"},
                    Edit{"Quota", "add quota inet wsl4 q { over 1 mbytes }\nadd rule inet wsl4 forward quota name q drop"},
                    Edit{"QuotaNamedAsACounter", "add counter inet wsl4 q\nadd quota inet wsl4 q { over 1 mbytes }"},
                    Edit{"ObjectMap",
                         "add limit inet wsl4 slow { rate 1/second; }\n"
                         "add map inet wsl4 speeds { type ipv4_addr : limit; elements = { 198.18.9.9 : \"slow\" } }\n"
                         "add rule inet wsl4 forward limit name ip saddr map @speeds drop"},
                    Edit{"ChainsThatCallEachOther",
                         "add chain inet wsl4 one\nadd chain inet wsl4 two\nadd rule inet wsl4 one jump two\n"
                         "add rule inet wsl4 input jump one"},
                    Edit{"BaseChain", "add chain inet wsl4 mine { type filter hook input priority 0; policy drop; }"},
                    Edit{"PolicyDrop",
                         "add chain inet wsl4 forward { type filter hook forward priority filter - 10; policy drop; }"},
                    Edit{"Dormant", "add table inet wsl4 { flags dormant; }"}, Edit{"RulesGone", "flush table inet wsl4"}),
    [](const auto& edit) { return edit.param.name; });

using DataplaneFlowtable = DataplaneRepair;

TEST_P(DataplaneFlowtable, PutsRight) {
  static_cast<void>(where_.exec("nft -f -", GetParam().commands));  // a kernel without them refuses
  const auto repaired = applier_.repair();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_EQ(where_.must("nft list flowtables").find("flowtable "), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Edits, DataplaneFlowtable,
                         testing::Values(Edit{"Flowtable",
                                              "add flowtable inet wsl4 fast { hook ingress priority 0; devices = { lo }; }\n"
                                              "add rule inet wsl4 forward ip protocol tcp flow add @fast"}),
                         [](const auto& edit) { return edit.param.name; });

}  // namespace
}  // namespace wsl4::dataplane
