#include "daemon/runtime/pulse.h"

#include <gtest/gtest.h>

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;
constexpr Pulse::Clock::time_point kNow{1h};

TEST(Pulse, BeatsForItsLimit) {
  Pulse pulse;
  EXPECT_FALSE(pulse.is_alive(kNow));
  pulse.beat(kNow);
  EXPECT_TRUE(pulse.is_alive(kNow + Pulse::kLimit - 1ms));
  EXPECT_FALSE(pulse.is_alive(kNow + Pulse::kLimit));
}

TEST(Pulse, HasTimeForWorkAndNoMoreAfterIt) {
  Pulse pulse;
  pulse.beat(kNow, 640'000);  // 10,000 services take the kernel 6 s
  EXPECT_TRUE(pulse.is_alive(kNow + 12s));
  EXPECT_FALSE(pulse.is_alive(kNow + 15s));
  pulse.beat(kNow + 6s);
  EXPECT_FALSE(pulse.is_alive(kNow + 6s + Pulse::kLimit));
}

TEST(Pulse, AChangeOfAHundredServicesEndsAHangWithinThePromise) {
  Pulse pulse;
  pulse.beat(kNow, 100 * 100);
  EXPECT_FALSE(pulse.is_alive(kNow + Pulse::kPromise - Pulse::kLookInterval));
}

}  // namespace
}  // namespace wsl4::runtime
