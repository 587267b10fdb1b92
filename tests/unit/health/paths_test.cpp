#include "daemon/health/paths.h"

#include <gtest/gtest.h>

#include <string>

namespace wsl4::health {
namespace {

using Lean = Paths::Lean;

constexpr Damper::Limits kPathLimits{2, 3};
const Usable kAll = [](const IpAddress&) { return true; };

IpAddress pool_address(int number) { return *IpAddress::parse("198.18.2." + std::to_string(number)); }

Sources sources(int number) {
  std::vector<IpAddress> list;
  for (int i = 1; i <= number; ++i) list.push_back(pool_address(i));
  return std::make_shared<const std::vector<IpAddress>>(list);
}

Paths paths(int number) {
  Paths result;
  result.set_sources(sources(number));
  return result;
}

/// Checks from `wanted` with that outcome.
Paths::Recorded check(Paths& paths, const IpAddress& wanted, Outcome outcome) {
  const auto chosen = paths.next(Lean::kInTurn, [&](const IpAddress& address) { return address == wanted; });
  EXPECT_EQ(chosen, wanted);
  return paths.record(wanted, outcome, kPathLimits);
}

/// One failure that another address contradicts.
Paths::Recorded fail_alone(Paths& paths, int failing, int good) {
  check(paths, pool_address(failing), Outcome::kConnectFailed);
  return check(paths, pool_address(good), Outcome::kOk);
}

void exclude(Paths& paths, int failing, int good) {
  for (int i = 0; i < kPathLimits.fall; ++i) fail_alone(paths, failing, good);
}

std::vector<IpAddress> list(std::initializer_list<int> numbers) {
  std::vector<IpAddress> result;
  for (const int number : numbers) result.push_back(pool_address(number));
  return result;
}

TEST(Paths, WithoutAddressesTheKernelChooses) {
  Paths none;
  EXPECT_EQ(none.next(Lean::kSettled, kAll), IpAddress());
  EXPECT_TRUE(none.record(IpAddress(), Outcome::kConnectFailed, kPathLimits).votes);
  EXPECT_EQ(none.voters(), 1U);
  none.set_sources(std::make_shared<const std::vector<IpAddress>>());
  EXPECT_EQ(none.next(Lean::kSettled, kAll), IpAddress());
}

TEST(Paths, GoodAddressesTakeTurns) {
  auto three = paths(3);
  for (const int expected : {1, 2, 3, 1, 2, 3, 1}) {
    EXPECT_EQ(three.next(Lean::kSettled, kAll), pool_address(expected));
    EXPECT_TRUE(three.record(pool_address(expected), Outcome::kOk, kPathLimits).votes);
  }
}

TEST(Paths, FullAddressesAreSkipped) {
  auto three = paths(3);
  const auto usable = [](const IpAddress& address) { return address != pool_address(2); };
  for (const int expected : {1, 3, 1, 3}) EXPECT_EQ(three.next(Lean::kSettled, usable), pool_address(expected));
  EXPECT_EQ(three.next(Lean::kSettled, [](const IpAddress&) { return false; }), std::nullopt);
}

TEST(Paths, FallContradictedFailuresInARowExclude) {
  auto three = paths(3);
  EXPECT_FALSE(fail_alone(three, 1, 2).changed);
  EXPECT_FALSE(fail_alone(three, 1, 3).changed);
  EXPECT_EQ(three.excluded(), list({}));
  EXPECT_TRUE(fail_alone(three, 1, 2).changed);
  EXPECT_EQ(three.excluded(), list({1}));
  EXPECT_EQ(three.voters(), 2U);
  EXPECT_FALSE(check(three, pool_address(1), Outcome::kConnectFailed).votes);
}

TEST(Paths, FailuresThatNobodyContradictsExcludeNobody) {
  auto two = paths(2);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(check(two, pool_address(1 + i % 2), Outcome::kConnectFailed).votes);
    EXPECT_EQ(two.voters(), 2U);
  }
  two.acquit();
  for (int i = 0; i < 100; ++i) check(two, pool_address(2), Outcome::kOk);
  EXPECT_FALSE(two.urgent(kAll));
}

TEST(Paths, AGoodCheckOrNoVerdictEndsTheRow) {
  for (const auto outcome : {Outcome::kOk, Outcome::kNoVerdict}) {
    auto two = paths(2);
    fail_alone(two, 1, 2);
    fail_alone(two, 1, 2);
    check(two, pool_address(1), outcome);
    fail_alone(two, 1, 2);
    EXPECT_EQ(two.excluded(), list({}));
  }
}

TEST(Paths, AnExcludedAddressComesBackAfterRiseGoodChecksInARow) {
  auto two = paths(2);
  exclude(two, 1, 2);
  EXPECT_FALSE(check(two, pool_address(1), Outcome::kOk).votes);
  check(two, pool_address(1), Outcome::kWrongAnswer);
  check(two, pool_address(1), Outcome::kOk);
  const auto back = check(two, pool_address(1), Outcome::kOk);
  EXPECT_TRUE(back.votes);
  EXPECT_TRUE(back.changed);
  EXPECT_EQ(two.excluded(), list({}));
}

TEST(Paths, OnceTheBackendIsFineASuspectIsTriedEverySecondTime) {
  auto five = paths(5);
  fail_alone(five, 1, 2);
  EXPECT_TRUE(five.urgent(kAll));
  EXPECT_EQ(five.next(Lean::kSettled, kAll), pool_address(1));
  five.record(pool_address(1), Outcome::kConnectFailed, kPathLimits);
  EXPECT_EQ(five.next(Lean::kCareful, kAll), pool_address(3));
  five.record(pool_address(3), Outcome::kOk, kPathLimits);
  EXPECT_EQ(five.next(Lean::kSettled, kAll), pool_address(1));
}

TEST(Paths, ASuspectWithoutRoomIsNotUrgent) {
  auto two = paths(2);
  fail_alone(two, 1, 2);
  EXPECT_FALSE(two.urgent([](const IpAddress& address) { return address != pool_address(1); }));
}

TEST(Paths, ACarefulCheckComesFromAnAddressWithoutFailures) {
  auto four = paths(4);
  exclude(four, 1, 2);
  check(four, pool_address(2), Outcome::kConnectFailed);
  check(four, pool_address(3), Outcome::kNoVerdict);
  EXPECT_EQ(four.next(Lean::kCareful, kAll), pool_address(4));
  EXPECT_EQ(four.next(Lean::kCareful, kAll), pool_address(4));
  const auto failing = [](const IpAddress& address) { return address < pool_address(3); };
  EXPECT_EQ(four.next(Lean::kCareful, failing), pool_address(2));
  EXPECT_EQ(four.next(Lean::kCareful, [](const IpAddress& address) { return address == pool_address(1); }), pool_address(1));
}

TEST(Paths, ExcludedAddressesAreProbedEveryFourthTime) {
  auto six = paths(6);
  exclude(six, 1, 2);
  exclude(six, 3, 2);
  std::vector<IpAddress> probed;
  for (unsigned i = 0; i < 4 * Paths::kProbeEvery; ++i) {
    const auto chosen = *six.next(Lean::kSettled, kAll);
    const bool is_excluded = chosen == pool_address(1) || chosen == pool_address(3);
    six.record(chosen, is_excluded ? Outcome::kConnectFailed : Outcome::kOk, kPathLimits);
    if (is_excluded) probed.push_back(chosen);
  }
  ASSERT_EQ(probed.size(), 4U);
  EXPECT_NE(probed[0], probed[1]);
  EXPECT_EQ(probed[0], probed[2]);
  EXPECT_EQ(probed[1], probed[3]);
}

TEST(Paths, RemembersTheLatestSuspectsOnly) {
  auto many = paths(100);
  for (int i = 1; i <= 50; ++i) check(many, pool_address(i), Outcome::kConnectFailed);
  check(many, pool_address(100), Outcome::kOk);
  for (int suspects = 0; suspects < 8; ++suspects) {
    const auto chosen = many.next(Lean::kSettled, kAll);
    EXPECT_GT(*chosen, pool_address(42));
    EXPECT_LE(*chosen, pool_address(50));
    many.record(*chosen, Outcome::kOk, kPathLimits);
  }
  EXPECT_FALSE(many.urgent(kAll));
}

TEST(Paths, OtherAddressesKeepWhatIsKnownOfThoseThatStay) {
  auto three = paths(3);
  exclude(three, 1, 3);
  EXPECT_FALSE(three.set_sources(sources(2)));
  EXPECT_EQ(three.excluded(), list({1}));
  EXPECT_FALSE(three.set_sources(sources(5)));
  EXPECT_EQ(three.excluded(), list({1}));
  EXPECT_FALSE(three.set_sources(nullptr));
  EXPECT_EQ(three.excluded(), list({}));
}

TEST(Paths, IfOnlyExcludedAddressesStayNoneIs) {
  auto three = paths(3);
  exclude(three, 1, 3);
  EXPECT_TRUE(three.set_sources(sources(1)));
  EXPECT_EQ(three.excluded(), list({}));
  EXPECT_EQ(three.voters(), 1U);
}

TEST(Paths, AResultFromAnAddressThatHasGoneMeansNothing) {
  auto three = paths(3);
  ASSERT_EQ(three.next(Lean::kSettled, [](const IpAddress& address) { return address == pool_address(3); }), pool_address(3));
  three.set_sources(sources(2));
  EXPECT_FALSE(three.record(pool_address(3), Outcome::kConnectFailed, kPathLimits).votes);
  EXPECT_EQ(three.voters(), 2U);
  Paths unbound;
  ASSERT_EQ(unbound.next(Lean::kSettled, kAll), IpAddress());
  unbound.set_sources(sources(2));
  EXPECT_FALSE(unbound.record(IpAddress(), Outcome::kConnectFailed, kPathLimits).votes);
}

}  // namespace
}  // namespace wsl4::health
