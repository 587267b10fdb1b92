#include "daemon/pair/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/session.h"
#include "tests/support/sync_flows.h"

namespace wsl4::pair {
namespace {

using test::sync_flow;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// A session of an active with the flows 1 to 1,000.
class ComparisonTest : public testing::Test {
 protected:
  void SetUp() override {
    session_.set_role(sync::Role::kActive);
    for (std::uint32_t number = 1; number <= 1000; ++number) ASSERT_TRUE(session_.learn(sync_flow(number), {}));
  }
  void see_all_but(std::uint32_t one, std::uint32_t other) {
    for (std::uint32_t number = 1; number <= 1000; ++number)
      if (number != one && number != other) comparison_.see(sync_flow(number));
  }
  std::vector<std::uint16_t> missing() {
    std::vector<std::uint16_t> clients;
    while (comparison_.running())
      for (const auto& flow : comparison_.missing(session_.flows(), 100)) clients.push_back(flow.client.port);
    return clients;
  }

  sync::Session session_{{}};
  Comparison comparison_;
};

TEST_F(ComparisonTest, WhatTheDumpDoesNotShowIsMissing) {
  comparison_.begin({});
  see_all_but(7, 999);
  EXPECT_THAT(missing(), UnorderedElementsAre(7, 999));
  EXPECT_FALSE(comparison_.running());
}

TEST_F(ComparisonTest, WhatIsTouchedMeanwhileIsLeftToTheNextOne) {
  comparison_.begin({sync_flow(7)});
  see_all_but(7, 999);
  comparison_.touch(sync_flow(999));
  EXPECT_THAT(missing(), IsEmpty());

  comparison_.begin({});
  see_all_but(7, 999);
  EXPECT_THAT(missing(), UnorderedElementsAre(7, 999)) << "each comparison begins anew";
}

TEST_F(ComparisonTest, OneThatIsAbandonedSaysNothing) {
  comparison_.begin({});
  comparison_.abandon();
  EXPECT_FALSE(comparison_.running());
  EXPECT_THAT(missing(), IsEmpty());
}

TEST(FlowHash, GoesByClientVipAndProtocolOnly) {
  auto other = sync_flow(5);
  other.backend.port = 1;
  other.snat.port = 1;
  other.flags = sync::kClosing;
  EXPECT_EQ(hash_of(other), hash_of(sync_flow(5)));
  other.protocol = sync::Protocol::kUdp;
  EXPECT_NE(hash_of(other), hash_of(sync_flow(5)));
  EXPECT_NE(hash_of(sync_flow(6)), hash_of(sync_flow(5)));
}

}  // namespace
}  // namespace wsl4::pair
