#include "daemon/peer/standing.h"

#include <gtest/gtest.h>

#include "daemon/peer/backoff.h"
#include "daemon/peer/refusal.h"

namespace wsl4::peer {
namespace {

using namespace std::chrono_literals;

const Instance kLow{1}, kHigh{2}, kOther{3};

// Each end sees the other's connection as the peer's: both must keep the same one.
TEST(Standing, BothEndsKeepTheSameOfTwoThatCrossed) {
  for (const bool outgoing_first : {true, false}) {
    const auto keeps_own = [&](const Instance& own, const Instance& peer) {
      const Standing outgoing{OpenedBy::kUs, peer}, incoming{OpenedBy::kPeer, peer};
      return outgoing_first ? !replaces(incoming, outgoing, own) : replaces(outgoing, incoming, own);
    };
    EXPECT_TRUE(keeps_own(kHigh, kLow));
    EXPECT_FALSE(keeps_own(kLow, kHigh));
  }
}

TEST(Standing, APeerThatStartedAgainHasLostTheOldOne) {
  EXPECT_TRUE(replaces({OpenedBy::kPeer, kLow}, {OpenedBy::kUs, kOther}, kHigh));
  EXPECT_TRUE(replaces({OpenedBy::kUs, kOther}, {OpenedBy::kPeer, kHigh}, kLow));
}

TEST(Standing, APeerThatConnectsOnceMoreHasLostTheOldOne) {
  EXPECT_TRUE(replaces({OpenedBy::kPeer, kLow}, {OpenedBy::kPeer, kLow}, kHigh));
  EXPECT_TRUE(replaces({OpenedBy::kPeer, kHigh}, {OpenedBy::kPeer, kHigh}, kLow));
}

TEST(Backoff, DoublesUpToItsLimitAndScatters) {
  Backoff backoff(100ms, 1000ms);
  for (const auto due : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) EXPECT_EQ(backoff.next(0.5), due);
  EXPECT_EQ(backoff.next(0), 500ms);
  EXPECT_EQ(backoff.next(1), 1500ms);
  backoff.reset();
  EXPECT_EQ(backoff.next(0.5), 100ms);
}

TEST(Refusal, EachHasItsName) {
  EXPECT_EQ(to_string(Refusal::kStranger), "stranger");
  EXPECT_EQ(to_string(Refusal::kUnknownKey), "unknown_key");
  EXPECT_EQ(to_string(Refusal::kRefusedByPeer), "refused_by_peer");
  EXPECT_EQ(to_string(Refusal::kClosed), "closed");
}

}  // namespace
}  // namespace wsl4::peer
