// What purge takes out of the kernel, and what it leaves, in network namespaces of our own.
#include "daemon/runtime/purge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/runtime/state_store.h"
#include "netlink/rtnl/rtnl.h"
#include "tests/support/desired_states.h"
#include "tests/support/namespace.h"

namespace wsl4::runtime {
namespace {

using netlink::rtnl::InterfaceAddress;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PurgeTest : public testing::Test {
 protected:
  PurgeTest() {
    std::string pattern = testing::TempDir() + "wsl4-purge-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    configure("[node]\nstate_dir = \"" + folder_ + "\"\n");
    machine_.must("ip link add card type veth peer name other && ip link set card up");
    rtnl_ = machine_.run([] { return netlink::rtnl::open_rtnl(); }).value();
    const auto links = rtnl_->links().value();
    card_ = std::ranges::find(links, "card", &netlink::rtnl::Link::name)->index;
    for (const char* text : {"198.18.0.10", "198.18.0.11", "2001:db8::10"}) {
      const auto address = test::address(text);
      const InterfaceAddress entry{card_, address, static_cast<std::uint8_t>(address.bits()), netlink::rtnl::kAddressProtocol};
      EXPECT_TRUE(rtnl_->add_address(entry)) << text;
    }
    machine_.must("ip address add 198.18.0.10/24 dev card");
  }
  ~PurgeTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string file() const { return folder_ + "/wsl4.toml"; }
  void configure(const std::string& text) const { std::ofstream(file()) << text; }
  [[nodiscard]] auto purge(bool dry_run = false) const {
    return machine_.run([this, dry_run] { return runtime::purge(file(), dry_run); });
  }
  /// As a daemon does that has changed nothing.
  void leave_state() const { ASSERT_TRUE(StateStore(folder_).save({})); }
  [[nodiscard]] long ours() const {
    return std::ranges::count(rtnl_->addresses().value(), netlink::rtnl::kAddressProtocol, &InterfaceAddress::protocol);
  }

  const test::Namespace machine_{"purge"};
  std::string folder_;
  std::unique_ptr<netlink::rtnl::Rtnl> rtnl_;
  int card_ = 0;
};

TEST_F(PurgeTest, OursGoAndForeignAddressesStay) {
  const auto report = purge();
  ASSERT_TRUE(report) << report.error().why;
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_EQ(report->addresses, 3U);
  EXPECT_EQ(ours(), 0);
  EXPECT_THAT(rtnl_->addresses().value(), Contains(InterfaceAddress{card_, test::address("198.18.0.10"), 24, 0}));
}

TEST_F(PurgeTest, VirtualLinksGoAndForeignMacvlansStay) {
  ASSERT_TRUE(rtnl_->add_macvlan({"wsl4-51-2", card_, {0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}}));
  ASSERT_TRUE(rtnl_->add_macvlan({"vrrp.52", card_, {0x00, 0x00, 0x5e, 0x00, 0x01, 0x34}}));
  const auto report = purge();
  ASSERT_TRUE(report) << report.error().why;
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_EQ(report->links, 1U);
  EXPECT_THAT(machine_.must("ip link show type macvlan"), testing::AllOf(HasSubstr("vrrp.52"), testing::Not(HasSubstr("wsl4"))));
}

TEST_F(PurgeTest, SysctlsGoBackUnlessSomebodyElseChangedThem) {
  State state;
  state.sysctls = {{"net/ipv4/ip_forward", {"0", "1"}}, {"net/netfilter/nf_conntrack_tcp_timeout_established", {"432000", "4200"}}};
  ASSERT_TRUE(StateStore(folder_).save(state));
  machine_.must("sysctl -w net.ipv4.ip_forward=1 net.netfilter.nf_conntrack_tcp_timeout_established=600");
  const auto report = purge();
  ASSERT_TRUE(report) << report.error().why;
  EXPECT_EQ(report->sysctls, 1U);
  EXPECT_THAT(report->left, ElementsAre(HasSubstr("nf_conntrack_tcp_timeout_established is 600, not 4200")));
  EXPECT_EQ(machine_.must("sysctl -n net.ipv4.ip_forward net.netfilter.nf_conntrack_tcp_timeout_established"), "0\n600\n");
  EXPECT_FALSE(std::filesystem::exists(StateStore(folder_).path()));
}

TEST_F(PurgeTest, SysctlsOfAnEarlierBootStayUnlessTheTableTellsThatItIsThisOne) {
  State state;
  state.sysctls = {{"net/ipv4/ip_forward", {"0", "1"}}};
  machine_.must("sysctl -w net.ipv4.ip_forward=1");
  for (const std::size_t restored : {0U, 1U}) {
    ASSERT_TRUE(StateStore(folder_, "another boot, or a container's").save(state));
    if (restored == 1) machine_.must("nft add table inet wsl4");
    const auto report = purge();
    ASSERT_TRUE(report) << report.error().why;
    EXPECT_EQ(report->sysctls, restored);
  }
  EXPECT_EQ(machine_.must("sysctl -n net.ipv4.ip_forward"), "0\n");
}

TEST_F(PurgeTest, ADryRunChangesNothing) {
  leave_state();
  const auto report = purge(true);
  EXPECT_TRUE(report) << report.error().why;
  EXPECT_EQ(ours(), 3);
  EXPECT_TRUE(std::filesystem::exists(StateStore(folder_).path()));
}

TEST_F(PurgeTest, WhereNoDaemonWasMarksAreSomebodyElses) {
  machine_.must("conntrack -I -p tcp -s 198.18.0.1 -d 198.18.0.2 --sport 1000 --dport 80 --state ESTABLISHED -t 600 -m 0x00000500");
  configure("[node]\nbroken = true\nstate_dir = \"" + folder_ + "\"\n");
  EXPECT_EQ(purge()->flows, 0U);
  EXPECT_EQ(ours(), 0) << "these bear wsl4's own mark";
  configure("[node]\nstate_dir = \"" + folder_ + "\"\n");
  EXPECT_EQ(purge()->flows, 0U);
  leave_state();
  EXPECT_EQ(purge()->flows, 1U);
}

TEST_F(PurgeTest, ABrokenFileIsRefusedAndNothingIsGuessed) {
  leave_state();
  configure("[node]\nstate_dir = \"" + folder_ + "\"\nct_mark_mask = 0x00ffff\nbroken = true\n");
  const auto report = purge();
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().why, HasSubstr(file() + ":4:1: node.broken: "));
  EXPECT_THAT(report.error().why, HasSubstr("mend it, or remove it"));
  EXPECT_TRUE(report.error().by_configuration);
  EXPECT_EQ(purge(true).error().why, report.error().why);
  EXPECT_EQ(ours(), 3);
}

}  // namespace
}  // namespace wsl4::runtime
