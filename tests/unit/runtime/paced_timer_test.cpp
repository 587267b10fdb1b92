#include "daemon/runtime/paced_timer.h"

#include <gtest/gtest.h>

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;
using Clock = PacedTimer::Clock;

class PacedTimerTest : public testing::Test {
 protected:
  boost::asio::io_context io_;
  int calls_ = 0;
  PacedTimer timer_{io_, 1h, [this](Clock::time_point) { ++calls_; }};
  const Clock::time_point now_ = Clock::now();
};

TEST_F(PacedTimerTest, CallsOnceForEachTimeThatIsAskedFor) {
  EXPECT_FALSE(timer_.due());
  timer_.wake(now_);
  EXPECT_EQ(timer_.due(), now_);
  io_.run();
  EXPECT_EQ(calls_, 1);
  EXPECT_FALSE(timer_.due());
}

TEST_F(PacedTimerTest, TheFirstOfSeveralTimesCounts) {
  timer_.wake(now_ + 2h);
  timer_.wake(now_ + 3h);
  EXPECT_EQ(timer_.due(), now_ + 2h);
  timer_.wake(now_);
  EXPECT_EQ(timer_.due(), now_);
  io_.run();
  EXPECT_EQ(calls_, 1) << "the later ones are part of it";
}

TEST_F(PacedTimerTest, NothingIsCalledWithinThePause) {
  timer_.wake(now_);
  io_.run();
  timer_.wake(now_);
  ASSERT_TRUE(timer_.due());
  EXPECT_GE(*timer_.due(), now_ + 1h);
  timer_.wake(now_ + 5h);
  EXPECT_LT(*timer_.due(), now_ + 5h);
}

/// Both waits are over when the first one's call makes the second one's time sooner.
TEST_F(PacedTimerTest, AWaitThatIsOverAndReplacedIsNoSecondCall) {
  PacedTimer before(io_, 1h, [this](Clock::time_point) { timer_.wake(now_ - 2s); });
  before.wake(now_ - 3s);
  timer_.wake(now_ - 1s);
  io_.run();
  EXPECT_EQ(calls_, 1);
}

TEST_F(PacedTimerTest, ACallMayAskForTheNextOne) {
  int left = 3;
  PacedTimer* again = nullptr;
  PacedTimer timer(io_, 0s, [&](Clock::time_point now) {
    if (--left > 0) again->wake(now);
  });
  again = &timer;
  timer.wake(now_);
  io_.run();
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace wsl4::runtime
