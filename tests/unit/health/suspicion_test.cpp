#include "daemon/health/suspicion.h"

#include <gtest/gtest.h>

namespace wsl4::health {
namespace {

using Ids = std::vector<service::BackendId>;
constexpr auto kFew = Suspicion::kUnanswered - 1;

TEST(Suspicion, FallsOnWhoeverGetsFlowsAndEstablishesNone) {
  Suspicion suspicion;
  EXPECT_EQ(suspicion.look({{1, {100, 90}}, {2, {100, 100}}}), Ids{}) << "what was before the first look says nothing";
  EXPECT_EQ(suspicion.look({{1, {100 + Suspicion::kUnanswered, 90}}, {2, {200, 200}}}), Ids{1});
}

TEST(Suspicion, IsEndedByOneThatAnswers) {
  Suspicion suspicion;
  (void)suspicion.look({{1, {0, 0}}});
  EXPECT_EQ(suspicion.look({{1, {50, 1}}}), Ids{}) << "so many may be on their way";
  EXPECT_EQ(suspicion.look({{1, {50 + kFew, 1}}}), Ids{});
  EXPECT_EQ(suspicion.look({{1, {100, 2}}}), Ids{});
}

TEST(Suspicion, AddsUpOverTime) {
  Suspicion suspicion;
  for (std::uint64_t sent = 0; sent <= kFew; ++sent) EXPECT_EQ(suspicion.look({{1, {sent, 0}}}), Ids{}) << sent;
  EXPECT_EQ(suspicion.look({{1, {kFew + 1, 0}}}), Ids{1});
}

TEST(Suspicion, NeedsNewFlows) {
  Suspicion suspicion;
  (void)suspicion.look({{1, {0, 0}}});
  EXPECT_EQ(suspicion.look({{1, {9, 0}}}), Ids{1});
  EXPECT_EQ(suspicion.look({{1, {9, 0}}}), Ids{}) << "nothing new is known";
  EXPECT_EQ(suspicion.look({{1, {10, 0}}}), Ids{1});
}

TEST(Suspicion, CountersThatBeginAnewAreNoFlows) {
  Suspicion suspicion;
  (void)suspicion.look({{1, {1000, 0}}});
  EXPECT_EQ(suspicion.look({{1, {5, 0}}}), Ids{});
  EXPECT_EQ(suspicion.look({}), Ids{});
  EXPECT_EQ(suspicion.look({{1, {900, 0}}}), Ids{}) << "one that was gone is seen for the first time";
}

}  // namespace
}  // namespace wsl4::health
