#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "daemon/dataplane/diff.h"
#include "tests/support/desired_states.h"
#include "tests/support/fake_nftables.h"
#include "tests/support/seeds.h"

namespace wsl4::dataplane {
namespace {

using netlink::nft::Chain;
using netlink::nft::Rule;
using netlink::nft::Table;
using netlink::nft::Transaction;
using netlink::nft::Verdict;

constexpr auto kRounds = test::seeds(300U);

/// Commits, and returns what the kernel then has.
Table after(test::FakeNftables& kernel, const Transaction& transaction) {
  const auto committed = kernel.commit(transaction);
  EXPECT_TRUE(committed) << committed.error().message();
  return kernel.read_table(kTableName).value().value();
}

void expect_moves(const Table& have, const Table& want) {
  test::FakeNftables kernel;
  ASSERT_EQ(after(kernel, netlink::nft::build_table(have)), have);
  EXPECT_EQ(after(kernel, diff(have, want)), want);
}

/// Does one thing that somebody with root can do to a table.
void damage(Table& table, std::mt19937& random) {
  const auto pick = [&](auto& objects) {
    return std::next(objects.begin(), static_cast<std::ptrdiff_t>(random() % objects.size()));
  };
  auto& chain = pick(table.chains)->second;
  switch (random() % 6) {
    case 0:
      chain.rules.clear();
      break;
    case 1:
      chain.rules.insert(chain.rules.begin(), Rule{{}, "foreign"});
      break;
    case 2:
      pick(table.sets)->second.elements.clear();
      break;
    case 3:
      table.chains["foreign"] = Chain{std::nullopt, "", {Rule{{Verdict{Verdict::Kind::kJump, "guard"}}, ""}}};
      break;
    case 4:
      chain.comment = "changed";
      break;
    default:
      table.counters["foreign"] = {"x"};
      break;
  }
}

TEST(Diff, OfEqualTablesIsEmpty) {
  const auto table = plan(test::two_services());
  EXPECT_TRUE(diff(table, table).empty());
}

TEST(Diff, AnotherLayoutIsBuiltAnewInOneTransaction) {
  auto have = plan(test::two_services());
  const auto want = have;
  have.comment = "wsl4 layout 0";
  have.chains["service/of-old"] = {};
  expect_moves(have, want);
}

TEST(Diff, AnotherOwnershipIsBuiltAnew) {
  auto have = plan(test::two_services());
  auto want = have;
  want.owned = true;
  expect_moves(have, want);
}

TEST(Diff, AShareChangesElementsOnly) {
  auto state = test::two_services();
  const auto have = plan(state);
  std::swap(state.services.at("chat").backends[0].address, state.services.at("chat").backends[1].address);
  std::swap(state.services.at("chat").backends[0].name, state.services.at("chat").backends[1].name);
  std::swap(state.services.at("chat").backends[0].id, state.services.at("chat").backends[1].id);
  const auto transaction = diff(have, plan(state));
  ASSERT_EQ(transaction.operations().size(), 2U);
  EXPECT_EQ(std::get<netlink::nft::DeleteElements>(transaction.operations()[0]).set, "slots/chat-ip");
  EXPECT_EQ(std::get<netlink::nft::AddElements>(transaction.operations()[1]).set, "slots/chat-ip");
}

TEST(Diff, AChangedPoolReplacesItsMapUnderTheChainsThatUseIt) {
  auto state = test::two_services();
  const auto have = plan(state);
  state.pools.at("main").addresses.pop_back();
  state.pools.at("main").addresses.push_back(test::address("198.18.1.9"));
  expect_moves(have, plan(state));
}

TEST(Diff, AMapOfAnotherKindIsReplacedThoughTheRulesAreEqual) {
  const auto want = plan(test::two_services());
  auto have = want;
  have.sets.at("pool/main-ip").size = 0;
  have.sets.at("services-ip").comment = "";
  have.counters.at("backend/chat/b1").comment = "old";
  have.chains.at("guard-refuse").comment = "old";
  have.chains.at("backend/chat/b1").comment = "old";
  expect_moves(have, want);
}

TEST(Diff, RandomTablesMoveToEachOther) {
  for (unsigned seed = 0; seed < kRounds; ++seed) {
    std::mt19937 random(seed);
    const auto have = plan(test::random_state(random)), want = plan(test::random_state(random));
    expect_moves(have, want);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

TEST(Diff, DamagedTablesAreMended) {
  for (unsigned seed = 0; seed < kRounds; ++seed) {
    std::mt19937 random(seed);
    const auto want = plan(test::random_state(random));
    auto have = want;
    for (auto times = 1 + random() % 3; times > 0; --times) damage(have, random);
    expect_moves(have, want);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace wsl4::dataplane
