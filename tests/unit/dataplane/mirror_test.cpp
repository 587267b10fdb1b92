#include <gtest/gtest.h>

#include <random>

#include "daemon/dataplane/diff.h"
#include "tests/support/desired_states.h"
#include "tests/support/fake_nftables.h"
#include "tests/support/seeds.h"

namespace wsl4::dataplane {
namespace {

/// A mirror with the kernel that it mirrors.
class Pair {
 public:
  explicit Pair(service::DesiredState nothing = {}) : mirror(std::move(nothing)) {
    EXPECT_TRUE(kernel.commit(netlink::nft::build_table(mirror.table())));
  }

  void move_to(const service::DesiredState& next) {
    const auto change = test::difference(mirror.state(), next);
    const auto committed = kernel.commit(mirror.transition(change));
    ASSERT_TRUE(committed) << committed.error().message();
    mirror.commit(change);
    ASSERT_EQ(kernel.read_table(kTableName).value(), plan(next));
    ASSERT_EQ(mirror.table(), plan(next));
    ASSERT_EQ(mirror.state(), next);
  }

  void move_to(service::Gate gate) {
    ASSERT_TRUE(kernel.commit(mirror.transition(gate)));
    mirror.commit(gate);
    ASSERT_EQ(kernel.read_table(kTableName).value(), plan(mirror.state()));
    ASSERT_EQ(mirror.state().gate, gate);
  }

  test::FakeNftables kernel;
  Mirror mirror;
};

TEST(Mirror, ComesFromNothingAndGoesBack) {
  Pair pair;
  pair.move_to(test::two_services());
  pair.move_to({});
}

TEST(Mirror, WithoutACommitItStaysWhereItWas) {
  const auto first = test::two_services();
  const Mirror mirror(first);
  EXPECT_FALSE(mirror.transition({{}, {{"dns", std::nullopt}}}).empty());
  EXPECT_EQ(mirror.state(), first);
  EXPECT_TRUE(mirror.transition(service::StateChange()).empty());
  EXPECT_TRUE(mirror.transition({{}, {{"dns", first.services.at("dns")}}}).empty());
}

TEST(Mirror, RandomStatesFollowEachOther) {
  for (unsigned seed = 0; seed < test::seeds(40U); ++seed) {
    std::mt19937 random(seed);
    service::DesiredState nothing;
    nothing.double_dnat = seed % 2 == 0;
    if (seed % 3 == 0) nothing.gate = service::Gate::kStandby;
    Pair pair(nothing);
    for (int step = 0; step < 12; ++step) {
      auto next = test::random_state(random);
      next.double_dnat = nothing.double_dnat;
      next.gate = pair.mirror.state().gate;
      if (random() % 3 == 0) next.pools = pair.mirror.state().pools;  // else most steps touch all services
      pair.move_to(next);
      if (next.gate && random() % 2 == 0) pair.move_to(static_cast<service::Gate>(random() % 3));
      ASSERT_FALSE(HasFailure()) << "seed " << seed << ", step " << step;
    }
  }
}

TEST(Mirror, ABackendOfTwoServicesIsKnownUntilBothHaveLeftIt) {
  service::DesiredState state;
  state.pools["main"] = test::make_pool("main", {"198.18.1.1"});
  state.services["a"] = test::make_service("a", {"198.18.0.1:80"}, {"198.18.2.1:80"}, 1);
  state.services["b"] = test::make_service("b", {"198.18.0.2:80"}, {"198.18.2.1:80"}, 2);
  Pair pair;
  pair.move_to(state);
  state.services.erase("a");
  pair.move_to(state);
  EXPECT_EQ(pair.mirror.table().sets.at("snat-backends-ip").elements.size(), 1U);
  state.services.clear();
  pair.move_to(state);
  EXPECT_TRUE(pair.mirror.table().sets.at("snat-backends-ip").elements.empty());
}

TEST(Mirror, AListenAddressMovesFromOneServiceToAnother) {
  auto state = test::two_services();
  state.services["talk"] = test::make_service("talk", {"198.18.0.11:443"}, {"198.18.2.7:8888"}, 9);
  Pair pair;
  pair.move_to(state);
  std::swap(state.services.at("chat").listen[0], state.services.at("talk").listen[0]);
  pair.move_to(state);
}

std::vector<balance::PortBlock> some_blocks(std::mt19937& random) {
  std::vector<balance::PortBlock> slots(random() % 9);
  for (auto& slot : slots) slot = {test::address("198.18.1.1"), static_cast<std::uint16_t>(random() % 512)};
  return slots;
}

TEST(Mirror, BlocksComeChangeAndGo) {
  std::mt19937 random(20261125);
  Pair pair;
  auto state = test::two_services();
  state.services["talk"] = test::make_service("talk", {"198.18.0.11:443"}, {"198.18.2.1:8888"}, 9);
  pair.move_to(state);
  for (int step = 0; step < 60; ++step) {
    std::vector<BlocksChange> changes;
    for (const auto& [service, id] : {std::pair("chat", 1U), std::pair("chat", 2U), std::pair("talk", 9U)}) {
      auto& blocks = state.services.at(service).blocks;
      if (random() % 4 == 0 && blocks.erase(id) > 0) {
        changes.push_back({service, id, std::nullopt});
      } else if (random() % 2 == 0) {
        blocks[id] = some_blocks(random);
        changes.push_back({service, id, blocks[id]});
      }
    }
    const auto transaction = pair.mirror.transition(changes);
    ASSERT_TRUE(pair.kernel.commit(transaction));
    pair.mirror.commit(changes);
    ASSERT_EQ(pair.kernel.read_table(kTableName).value(), plan(state)) << "step " << step;
    ASSERT_EQ(pair.mirror.state(), state) << "step " << step;
    if (step % 10 != 0) continue;
    state.services.at("chat").blocks[1] = some_blocks(random);
    pair.move_to(state);
  }
  state.services.erase("chat");
  pair.move_to(state);
  state.services.erase("talk");
  pair.move_to(state);
}

TEST(Mirror, APoolThatChangesTakesTheBlocksAlong) {
  auto state = test::two_services();
  Pair pair;
  state.services.at("chat").blocks[1] = {{test::address("198.18.1.1"), 7}};
  pair.move_to(state);
  state.pools.at("main").addresses.pop_back();
  pair.move_to(state);
}

TEST(Mirror, ADealOfBlocksCostsTheSlotsThatDiffer) {
  Pair pair;
  auto state = test::two_services();
  auto& slots = state.services.at("chat").blocks[1];
  for (std::uint16_t i = 0; i < 512; ++i) slots.push_back({test::address("198.18.1.1"), i});
  pair.move_to(state);
  slots[3].number = slots[7].number = 100;
  const std::vector<BlocksChange> changes{{"chat", 1, slots}};
  EXPECT_EQ(pair.mirror.transition(changes).weight(), 4U);
}

TEST(Mirror, NewSharesLeaveTheBlocksAlone) {
  Pair pair;
  auto state = test::two_services();
  state.services.at("chat").blocks[1] = {{test::address("198.18.1.1"), 7}};
  pair.move_to(state);
  auto shares = state.services.at("chat");
  shares.blocks.clear();
  shares.backends[0].share_weight = 5;
  const std::vector changes{shares};
  ASSERT_TRUE(pair.kernel.commit(pair.mirror.transition(changes)));
  pair.mirror.commit(changes);
  state.services.at("chat").backends[0].share_weight = 5;
  EXPECT_EQ(pair.mirror.state(), state);
  EXPECT_EQ(pair.kernel.read_table(kTableName).value(), plan(state));
}

TEST(Mirror, ThatTheDaemonDealsIsNoPartOfThePlan) {
  Pair pair;
  pair.move_to(test::two_services());
  for (int beat = 0; beat < 3; ++beat) ASSERT_TRUE(pair.kernel.commit(go_on_dealing()));
  EXPECT_EQ(pair.kernel.read_table(kTableName).value(), pair.mirror.table());
}

TEST(Mirror, APoolThatChangesTakesItsServicesAlong) {
  auto state = test::two_services();
  Pair pair;
  pair.move_to(state);
  state.pools.at("main").addresses.pop_back();
  pair.move_to(state);
  state.pools.at("main").port_min = 1024;
  pair.move_to(state);
}

TEST(Mirror, OneServiceAmongManyCostsThatService) {
  auto state = test::many_services(500);
  Pair pair;
  pair.move_to(state);
  state.services.at("service-250").backends[0].share_weight = 0;
  const auto transaction = pair.mirror.transition(test::difference(pair.mirror.state(), state));
  EXPECT_FALSE(transaction.empty());
  EXPECT_LT(transaction.weight(), 20U);
}

}  // namespace
}  // namespace wsl4::dataplane
