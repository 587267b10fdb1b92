#include "daemon/service/version_vector.h"

#include <gtest/gtest.h>

namespace wsl4::service {
namespace {

using Order = VersionVector::Order;

void expect_order(const VersionVector& one, Order order, const VersionVector& other) {
  const auto reverse = order == Order::kOlder ? Order::kNewer : order == Order::kNewer ? Order::kOlder : order;
  EXPECT_EQ(one.compare(other), order);
  EXPECT_EQ(other.compare(one), reverse);
}

TEST(VersionVector, TellsWhichCopyHasMissedChanges) {
  const VersionVector none, a({{"a", 5}}), later({{"a", 6}}), both({{"a", 5}, {"b", 1}}), b({{"b", 1}});
  expect_order(none, Order::kEqual, none);
  expect_order(none, Order::kOlder, a);
  expect_order(a, Order::kEqual, a);
  expect_order(a, Order::kOlder, later);
  expect_order(a, Order::kOlder, both);
  expect_order(b, Order::kOlder, both);
}

TEST(VersionVector, TellsWhatWasChangedApart) {
  const VersionVector a({{"a", 6}}), both({{"a", 5}, {"b", 1}}), b({{"b", 1}});
  expect_order(a, Order::kConcurrent, both);
  expect_order(a, Order::kConcurrent, b);
}

TEST(VersionVector, WhatIsBroughtTogetherHoldsBoth) {
  const VersionVector a({{"a", 6}}), both({{"a", 5}, {"b", 1}});
  auto merged = a;
  merged.merge(both);
  EXPECT_EQ(merged.versions(), (VersionVector::Versions{{"a", 6}, {"b", 1}}));
  expect_order(merged, Order::kNewer, a);
  expect_order(merged, Order::kNewer, both);
}

TEST(VersionVector, AChangeIsNewerWhateverTheClockSays) {
  VersionVector versions;
  for (const std::int64_t clock : {1000, 1000, 10, 2000}) {
    const auto before = versions;
    versions.count("a", clock);
    expect_order(versions, Order::kNewer, before);
  }
  EXPECT_EQ(versions.versions().at("a"), 2000);
}

TEST(VersionVector, ANodeThatHasForgottenDoesNotCountAsItDidBefore) {
  VersionVector remembered({{"b", 7}});
  remembered.count("a", 1000);
  VersionVector forgotten;
  forgotten.count("a", 5000);
  expect_order(forgotten, Order::kConcurrent, remembered);
}

}  // namespace
}  // namespace wsl4::service
