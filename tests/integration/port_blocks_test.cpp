// Ports dealt in blocks as the daemon brings them into the kernel, with real connections: while it deals, and when it no longer
// does.
#include <gtest/gtest.h>

#include <memory>

#include "daemon/dataplane/applier.h"
#include "tests/support/desired_states.h"
#include "tests/support/router_bed.h"

namespace wsl4::dataplane {
namespace {

using netlink::Family;
using netlink::IpAddress;
using test::RouterBed;

class PortBlocks : public testing::TestWithParam<Family> {
 protected:
  static void SetUpTestSuite() { bed = std::make_unique<RouterBed>(); }
  static void TearDownTestSuite() { bed.reset(); }

  void SetUp() override {
    auto& service = state_.services["chat"];
    service = test::make_service("chat", {}, {});
    service.listen = {{vip(), 80}};
    service.backends = {{"b1", RouterBed::server_end(GetParam()), 1, 100, 100}};
    state_.pools["main"] = {"main", {snat()}, 1, 65535};
    ASSERT_TRUE(applier_.adopt(state_.mark));
    ASSERT_TRUE(applier_.apply(test::difference({}, state_)));
  }
  void TearDown() override { bed->a.must("nft delete table inet wsl4"); }

  static bool ipv4() { return GetParam() == Family::kIpv4; }
  static const IpAddress& vip() { return ipv4() ? bed->vip4 : bed->vip6; }
  static const IpAddress& snat() { return ipv4() ? bed->snat4 : bed->snat6; }

  void deal(std::optional<std::uint16_t> block) {
    BlocksChange change{"chat", 1, std::nullopt};
    if (block) change.slots.emplace(balance::kPortSlots, balance::PortBlock{snat(), *block});
    const auto applied = applier_.apply_blocks({&change, 1});
    ASSERT_TRUE(applied) << applied.error().message();
    ASSERT_TRUE(applier_.go_on_dealing());
  }
  /// The port that a new connection comes from; its address is the pool's.
  static std::uint16_t port() {
    const auto connection = bed->connect(vip());
    EXPECT_EQ(connection.seen_end.address, snat());
    return connection.seen_end.port;
  }

  static inline std::unique_ptr<RouterBed> bed;
  service::DesiredState state_;
  std::unique_ptr<netlink::nft::KernelNftables> kernel_ = bed->a.run([] { return netlink::nft::KernelNftables::open().value(); });
  Applier applier_{*kernel_, {}};
};

TEST_P(PortBlocks, ConnectionsGetPortsOfTheBlocksThatAreDealt) {
  EXPECT_GT(port(), 1024) << "the client's own port";
  deal(3);
  EXPECT_EQ(balance::block_of(port()), 3);
  deal(5);
  EXPECT_EQ(balance::block_of(port()), 5);
  deal(std::nullopt);
  EXPECT_GT(port(), 1024);
}

TEST_P(PortBlocks, WhenNobodyDealsConnectionsGetPortsOfTheWholeRange) {
  deal(3);
  EXPECT_EQ(balance::block_of(port()), 3);
  bed->a.must("nft flush set inet wsl4 dealing");  // as two seconds without the daemon
  EXPECT_GT(port(), 1024);
  ASSERT_TRUE(applier_.go_on_dealing());
  EXPECT_EQ(balance::block_of(port()), 3);
}

TEST_P(PortBlocks, ARepairFindsNothingToMendInThem) {
  deal(3);
  const auto repaired = applier_.repair();
  ASSERT_TRUE(repaired) << repaired.error().message();
  EXPECT_EQ(repaired->objects, 0U);
  bed->a.must("nft flush map inet wsl4 blocks/chat/b1");
  EXPECT_EQ(applier_.repair()->objects, balance::kPortSlots);
  EXPECT_EQ(balance::block_of(port()), 3);
}

TEST_P(PortBlocks, TheNextDaemonTakesThemOver) {
  deal(3);
  Applier next(*kernel_, {});
  const auto known = next.adopt(state_.mark);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->size(), 1U) << "the chain of the blocks is no backend";
  state_.services.at("chat").blocks[1].assign(balance::kPortSlots, {snat(), 3});
  EXPECT_EQ(next.apply(test::difference({}, state_))->objects, 0U);
}

INSTANTIATE_TEST_SUITE_P(Families, PortBlocks, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& family) { return family.param == Family::kIpv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace wsl4::dataplane
