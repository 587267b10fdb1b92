#include "daemon/service/change_text.h"

#include <gtest/gtest.h>

namespace wsl4::service {
namespace {

TEST(ChangeText, SaysWhatIsOtherNow) {
  const auto address = *netlink::Endpoint::parse("198.51.100.104:8888");
  EXPECT_EQ(describe(AddBackend{address, 100, 0, {}}), "added at 198.51.100.104:8888, weight 100");
  EXPECT_EQ(describe(AddBackend{address, 5, 9, "ws://b4"}),
            "added at 198.51.100.104:8888, weight 5, max_connections 9, public ws://b4");
  EXPECT_EQ(describe(EditBackend{50, {}, {}, {}, {}}), "weight 50");
  EXPECT_EQ(describe(EditBackend{0, 0, {}, {}, 7}), "weight 0, no max_connections");
  EXPECT_EQ(describe(EditBackend{{}, {}, AdminState::kDraining, 20, {}}), "draining, 20 flows a second are ended");
  EXPECT_EQ(describe(EditBackend{{}, 9, {}, 0, {}}), "max_connections 9, no flow is ended");
  EXPECT_EQ(describe(RemoveBackend{}), "removed");
  EXPECT_EQ(describe(ResetBackend{}), "reset; what was changed of it before is dropped");
}

}  // namespace
}  // namespace wsl4::service
