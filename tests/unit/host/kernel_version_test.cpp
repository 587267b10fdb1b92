#include <gtest/gtest.h>

#include "daemon/host/host.h"

namespace wsl4::host {
namespace {

TEST(KernelVersion, ReadsWhatDistributionsPrint) {
  EXPECT_EQ(KernelVersion::parse("6.1.0-25-amd64"), (KernelVersion{6, 1}));
  EXPECT_EQ(KernelVersion::parse("6.12.117"), (KernelVersion{6, 12}));
  EXPECT_EQ(KernelVersion::parse("7.0-rc1"), (KernelVersion{7, 0}));
}

TEST(KernelVersion, RefusesWhatIsNone) {
  for (const auto* release : {"", "6", "6.", "six.one", ".1"}) EXPECT_FALSE(KernelVersion::parse(release)) << release;
}

TEST(KernelVersion, OrdersByNumberNotByText) { EXPECT_LT((KernelVersion{6, 9}), (KernelVersion{6, 12})); }

TEST(KernelFeatures, BeginWithTheirVersion) {
  EXPECT_FALSE(features_of({5, 15}).supported);
  EXPECT_TRUE(features_of({6, 1}).supported);
  EXPECT_FALSE(features_of({6, 4}).time_wait_reuse);
  EXPECT_TRUE(features_of({6, 5}).time_wait_reuse);
  EXPECT_FALSE(features_of({6, 8}).owned_tables);
  EXPECT_TRUE(features_of({6, 9}).owned_tables);
  EXPECT_FALSE(features_of({6, 16}).steady_lookups);
  EXPECT_TRUE(features_of({6, 17}).steady_lookups);
}

}  // namespace
}  // namespace wsl4::host
