#include "daemon/service/standing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/desired_states.h"

namespace wsl4::service {
namespace {

using test::endpoint;
using testing::ElementsAre;

std::vector<int> shares(const DesiredState& state) {
  std::vector<int> shares;
  for (const auto& backend : state.services.at("chat").backends) shares.push_back(backend.share_weight);
  return shares;
}

TEST(ApplyStanding, WhoDrainsIsDisabledOrDownGetsNoShare) {
  auto state = test::two_services();
  const Marks marks{{{"chat", endpoint("198.18.2.1:8888")}, {"b1", Mark::Standing::kDraining, 20}},
                    {{"chat", endpoint("198.18.2.2:8888")}, {"b2", Mark::Standing::kServing, 0}},
                    {{"chat", endpoint("[2001:db8:2::1]:8888")}, {"b3", Mark::Standing::kDisabled, 0}}};
  const Verdicts verdicts{{{"chat", endpoint("[2001:db8:2::2]:8888")}, {true, {}}},
                          {{"dns", endpoint("198.18.2.2:8888")}, {true, {}}}};
  apply_standing(state.services.at("chat"), marks, verdicts);
  EXPECT_THAT(shares(state), ElementsAre(0, 100, 0, 0));
  EXPECT_EQ(state.services.at("chat").backends[0].evict, 20);
  EXPECT_EQ(state.services.at("chat").backends[0].weight, 100) << "what is configured stays";
}

TEST(ApplyStanding, ADeadSourceLeavesTheShare) {
  auto state = test::two_services();
  apply_standing(state.services.at("chat"), {}, {{{"chat", endpoint("198.18.2.1:8888")}, {false, {test::address("198.18.1.2")}}}});
  EXPECT_THAT(shares(state), ElementsAre(100, 100, 100, 100));
  EXPECT_THAT(state.services.at("chat").backends[0].dead_sources, ElementsAre(test::address("198.18.1.2")));
}

}  // namespace
}  // namespace wsl4::service
