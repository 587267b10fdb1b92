#include "daemon/health/pace.h"

#include <gtest/gtest.h>

namespace wsl4::health {
namespace {

using namespace std::chrono_literals;
constexpr double kMost = 0.999999;

TEST(Pace, AnIntervalVariesByATenth) {
  EXPECT_EQ(pause(2000ms, 0), 1800ms);
  EXPECT_EQ(pause(2000ms, 0.5), 2000ms);
  EXPECT_LE(pause(2000ms, kMost), longest_pause(2000ms));
  EXPECT_EQ(longest_pause(2000ms), 2200ms);
}

TEST(Pace, AShortPauseIsAQuarterAndAtMostASecond) {
  EXPECT_EQ(short_pause(2000ms, 0.5), 500ms);
  EXPECT_EQ(short_pause(1h, 0.5), 1000ms);
}

TEST(Pace, TheFirstChecksSpreadOverAnIntervalOfAtMostTwoSeconds) {
  EXPECT_EQ(first_pause(1h, 0), 0ms);
  EXPECT_EQ(first_pause(500ms, 0.5), 250ms);
  EXPECT_LT(first_pause(1h, kMost), 2000ms);
}

}  // namespace
}  // namespace wsl4::health
