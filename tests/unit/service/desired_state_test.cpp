#include "daemon/service/desired_state.h"

#include <gtest/gtest.h>

#include "tests/support/desired_states.h"

namespace wsl4::service {
namespace {

TEST(ServiceState, SharesFollowFromTheWeightsOfTheFamily) {
  auto chat = test::two_services().services.at("chat");
  chat.backends[0].share_weight = 300;
  EXPECT_EQ(chat.share_of(chat.backends[0]), 0.75);
  EXPECT_EQ(chat.share_of(chat.backends[2]), 0.5);
  for (auto& backend : chat.backends) backend.share_weight = 0;
  EXPECT_EQ(chat.share_of(chat.backends[0]), 0);
}

TEST(ServiceState, SharesFollowFromTheDealtSlotsWhereThereAreSome) {
  auto chat = test::two_services().services.at("chat");
  chat.dealt[netlink::Family::kIpv4] = {1, 1, 1, UINT32_MAX};
  EXPECT_EQ(chat.share_of(chat.backends[0]), 0);
  EXPECT_EQ(chat.share_of(chat.backends[1]), 0.75);
  EXPECT_EQ(chat.share_of(chat.backends[2]), 0.5) << "the other family's follow from its weights";
}

}  // namespace
}  // namespace wsl4::service
