#include "daemon/flows/idle.h"

#include <gtest/gtest.h>

#include <random>

namespace wsl4::flows {
namespace {

using namespace std::chrono_literals;
using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

constexpr std::chrono::seconds kEstablished = 3600s + kEstablishedMargin;
constexpr TimeoutHistory::TimePoint kNow{1000h};

Flow with(std::chrono::seconds remaining, TcpState state = TcpState::kEstablished) {
  Flow flow;
  flow.timeout = remaining;
  flow.tcp_state = state;
  return flow;
}

/// With one value since long.
bool idle(const Flow& flow, std::chrono::milliseconds idle_timeout) {
  TimeoutHistory history;
  history.seen(kEstablished, kNow - 10h);
  return is_idle(flow, history, idle_timeout, kNow);
}

TEST(IsIdle, SilentForTheTimeoutAndNotAMomentLess) {
  EXPECT_FALSE(idle(with(kEstablished), 1h));
  EXPECT_FALSE(idle(with(kEstablished - 3600s), 1h)) << "the kernel tells whole seconds: it may be 3,599.1";
  EXPECT_TRUE(idle(with(kEstablished - 3601s), 1h));
}

TEST(IsIdle, UnacknowledgedDataIsTheKernelsMatter) {
  EXPECT_TRUE(idle(with(301s), 1h));
  EXPECT_FALSE(idle(with(300s), 1h));
}

TEST(IsIdle, AShorterServiceBesideALongerOne) {
  EXPECT_FALSE(idle(with(kEstablished - 5s), 5s));
  EXPECT_TRUE(idle(with(kEstablished - 6s), 5s));
}

TEST(IsIdle, NeverMeansNever) { EXPECT_FALSE(idle(with(301s), 0s)); }

TEST(IsIdle, OnlyEstablishedFlows) {
  EXPECT_FALSE(idle(with(400s, TcpState::kTimeWait), 1h));
  EXPECT_FALSE(idle(with(400s, TcpState::kNone), 1h));
}

/// The kernel and our looks at it: a flow that speaks now and then while the sysctl changes.
class Timeline : public testing::Test {
 protected:
  void change(std::chrono::seconds value) { value_ = value; }
  void look() { history_.seen(value_, now_); }
  void pass(std::chrono::seconds time) { now_ += time; }
  /// `keeps`: what was known, or nothing.
  void restart(bool keeps) {
    history_ = keeps ? TimeoutHistory(history_.eras()) : TimeoutHistory();
    look();
  }
  /// As the collector does.
  void restart_timer_if_unexplained() {
    if (!is_unexplained(with(left()), history_, now_)) return;
    timer_began_ = now_;
    began_at_ = value_;
  }
  [[nodiscard]] std::chrono::seconds left() const {
    return began_at_ - std::chrono::duration_cast<std::chrono::seconds>(now_ - timer_began_);
  }
  void speak() {
    spoke_ = timer_began_ = now_;
    began_at_ = value_;
  }
  bool idle(std::chrono::milliseconds idle_timeout) { return is_idle(with(left()), history_, idle_timeout, now_); }

  TimeoutHistory history_;
  TimeoutHistory::TimePoint now_ = kNow, spoke_ = kNow, timer_began_ = kNow;
  std::chrono::seconds value_ = kEstablished, began_at_ = kEstablished;
};

TEST_F(Timeline, ARaisedValueMakesNobodyLookSilent) {
  look();
  pass(10s);
  speak();
  pass(10s);
  change(12h + kEstablishedMargin);
  look();
  EXPECT_FALSE(idle(1h));
  pass(3500s);
  look();
  EXPECT_FALSE(idle(1h));
  pass(100s);
  EXPECT_TRUE(idle(1h)) << "it still ends in time";
}

TEST_F(Timeline, ALoweredValueLetsNobodyLiveLonger) {
  change(12h + kEstablishedMargin);
  look();
  pass(10s);
  speak();
  pass(10s);
  change(kEstablished);
  look();
  EXPECT_FALSE(idle(1h));
  pass(3591s);
  look();
  EXPECT_TRUE(idle(1h));
}

TEST_F(Timeline, AChangeSeenLateIsNoReasonToEndAnybody) {
  look();
  pass(20s);
  change(432000s);  // somebody else, and nobody looked
  pass(5s);
  speak();
  pass(5s);
  look();
  EXPECT_FALSE(idle(1h));
  pass(3600s);
  look();
  EXPECT_TRUE(idle(1h));
}

TEST_F(Timeline, ARestartAfterAChangeMakesNobodyLookSilentNorLiveLonger) {
  for (const auto& [before, after] : {std::pair(4200s, 87000s), std::pair(87000s, 4200s)}) {
    history_ = {};
    change(before);
    look();
    pass(1000s);
    speak();
    pass(10s);
    change(after);
    look();
    pass(20s);
    restart(true);
    EXPECT_FALSE(is_unexplained(with(left()), history_, now_));
    EXPECT_FALSE(idle(1h));
    pass(3560s);
    EXPECT_FALSE(idle(1h));
    pass(15s);
    EXPECT_TRUE(idle(1h));
  }
}

TEST_F(Timeline, WithoutWhatWasKnownAClockBeginsAnew) {
  for (const auto& [before, after] : {std::pair(4200s, 87000s), std::pair(87000s, 4200s)}) {
    change(before);
    look();
    speak();
    pass(1000s);
    change(after);
    restart(false);
    EXPECT_FALSE(idle(1h));
    EXPECT_TRUE(is_unexplained(with(left()), history_, now_)) << left().count();
    restart_timer_if_unexplained();
    pass(3500s);
    EXPECT_FALSE(idle(1h));
    pass(101s);
    EXPECT_TRUE(idle(1h));
  }
}

TEST_F(Timeline, ATimerAboveAllThatWasSeenIsNobodysSilence) {
  look();
  pass(1000s);
  change(432000s);
  speak();
  change(kEstablished);  // nobody looked meanwhile
  pass(5s);
  look();
  EXPECT_TRUE(is_unexplained(with(left()), history_, now_));
  EXPECT_FALSE(idle(1s));
  restart_timer_if_unexplained();
  pass(3601s);
  EXPECT_TRUE(idle(1h));
}

TEST_F(Timeline, NeverEndsAFlowEarlyWhateverIsSeenWhenever) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    history_ = {};
    now_ = spoke_ = timer_began_ = kNow;
    began_at_ = value_ = kEstablished;
    look();
    bool seen = true;  // a value that came and went between two looks nobody can know
    for (int step = 0; step < 200; ++step) {
      pass(std::chrono::seconds(random() % 400));
      if (seen && random() % 4 == 0) {
        change(std::chrono::seconds(4200 + random() % 20000));
        seen = false;
      }
      if (random() % 3 == 0) speak();
      if (random() % 2 == 0) {
        look();
        seen = true;
      }
      if (seen && random() % 20 == 0) restart(random() % 2 == 0);
      restart_timer_if_unexplained();
      ASSERT_FALSE(seen && now_ - spoke_ < 1h && idle(1h)) << "seed " << seed << ", step " << step;
    }
  }
}

TEST(LookInterval, ATwentiethOfTheTimeoutWithinBounds) {
  EXPECT_EQ(look_interval(100s, {}), 5s);
  EXPECT_EQ(look_interval(1s, {}), 2s);
  EXPECT_EQ(look_interval(1h, {}), 30s);
  EXPECT_EQ(look_interval(0s, {}), 30s);
}

TEST(LookInterval, LookingCostsAtMostAHundredth) {
  EXPECT_EQ(look_interval(1h, {3300ms, 3300ms}), 330s);
  EXPECT_EQ(look_interval(0s, {33'000ms, 33'000ms}), 3300s) << "nothing ends late";
}

TEST(LookInterval, ButAFlowEndsInTime) {
  for (const std::chrono::milliseconds idle_timeout : {1s, 60s, 300s, 3600s, 86'400s})
    for (const std::chrono::milliseconds dump : {100ms, 1500ms, 10'000ms, 30'000ms}) {
      const auto late = look_interval(idle_timeout, {dump, 2 * dump}) + 2 * dump;  // passed just before
      EXPECT_LE(late, std::max<std::chrono::milliseconds>(idle_timeout / 10 + 60s, 2 * dump + 2s));
    }
  EXPECT_EQ(look_interval(5s, {60s, 120s}), 2s);
}

}  // namespace
}  // namespace wsl4::flows
