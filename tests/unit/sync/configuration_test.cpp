#include "sync/configuration.h"

#include <gtest/gtest.h>

namespace wsl4::sync {
namespace {

using Names = std::vector<std::string>;

TEST(Configurations, AreEqualInAnyOrder) {
  EXPECT_EQ(compare({{"a", 1, true}, {"b", 2, false}}, {{"b", 2, false}, {"a", 1, true}}).keys, Names{});
}

TEST(Configurations, NameWhatDiffers) {
  const auto differences = compare({{"same", 1, true}, {"value", 1, false}, {"ours", 1, false}},
                                   {{"value", 2, false}, {"same", 1, true}, {"theirs", 0, false}});
  EXPECT_EQ(differences.keys, (Names{"ours", "theirs", "value"}));
  EXPECT_EQ(differences.required, Names{});
}

TEST(Configurations, RequireWhatEitherSideRequires) {
  const auto differences = compare({{"a", 1, true}, {"b", 1, false}}, {{"a", 2, false}, {"b", 2, true}});
  EXPECT_EQ(differences.required, (Names{"a", "b"}));
  EXPECT_EQ(join(differences.required), "a, b");
}

TEST(Versions, AreTheHighestThatBothSpeak) {
  EXPECT_EQ(common_version({1, 1}, {1, 1}), 1);
  EXPECT_EQ(common_version({1, 2}, {2, 3}), 2);
  EXPECT_EQ(common_version({1, 3}, {1, 2}), 2);
  EXPECT_EQ(common_version({1, 1}, {2, 3}), std::nullopt);
  EXPECT_EQ(common_version({4, 5}, {2, 3}), std::nullopt);
}

}  // namespace
}  // namespace wsl4::sync
