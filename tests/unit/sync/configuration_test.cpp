#include "sync/configuration.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sync/bytes.h"
#include "sync/encoder.h"

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

std::vector<KeyDigest> services(int count) {
  std::vector<KeyDigest> keys{{"pool.main", 1, false}};
  for (int n = 0; n < count; ++n) keys.push_back({"service.chat-" + std::to_string(100'000 + n), 1, false});
  keys.push_back({"ha.election", 7, true});
  return keys;
}

TEST(Configurations, OfManyServicesAreCutTheSameWayOnBothSides) {
  auto keys = services(10'000);
  const auto whole = fit(keys);
  EXPECT_LT(whole.size(), keys.size());
  EXPECT_EQ(whole.front().name, "ha.election") << "what is required is always compared";
  EXPECT_EQ(compare(whole, fit(keys)).keys, Names{});
  std::ranges::reverse(keys.begin() + 9'000, keys.end() - 1);
  EXPECT_EQ(compare(whole, fit(keys)).keys, Names{}) << "in another order";
  keys[9'500].digest = 2;
  EXPECT_EQ(compare(whole, fit(keys)).keys, Names{kFurtherKeys});
  keys[1].digest = 2;
  EXPECT_EQ(compare(whole, fit(keys)).keys, (Names{kFurtherKeys, "service.chat-100000"}));
}

TEST(Configurations, OfFewServicesAreWhole) { EXPECT_EQ(compare(fit(services(1000)), services(1000)).keys, Names{}); }

TEST(Configurations, ThatAreCutFitIntoAFrame) {
  std::vector<KeyDigest> keys(1000, {std::string(255, 'n'), 1, false});
  std::vector<std::uint8_t> bytes;
  ByteWriter writer(bytes);
  const auto cut = fit(keys);
  write(writer, Configuration{cut});
  EXPECT_LE(bytes.size(), kMaxPayload);
  EXPECT_EQ(bytes.size(), (cut.size() - 1) * 265 + 10 + std::string(kFurtherKeys).size()) << "all of them are in it";
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
