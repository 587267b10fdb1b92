#include "daemon/runtime/pulse.h"

#include <gtest/gtest.h>

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;
constexpr Pulse::Clock::time_point kOnce{1h};

TEST(Pulse, BeatsForItsLimit) {
  Pulse pulse;
  EXPECT_FALSE(pulse.is_alive(kOnce));
  pulse.beat(kOnce);
  EXPECT_TRUE(pulse.is_alive(kOnce + Pulse::kLimit - 1ms));
  EXPECT_FALSE(pulse.is_alive(kOnce + Pulse::kLimit));
}

TEST(Pulse, HasTimeForWorkAndNoMoreAfterIt) {
  Pulse pulse;
  pulse.beat(kOnce, 640'000);  // 10,000 services take the kernel 6 s
  EXPECT_TRUE(pulse.is_alive(kOnce + 12s));
  EXPECT_FALSE(pulse.is_alive(kOnce + 15s));
  pulse.beat(kOnce + 6s);
  EXPECT_FALSE(pulse.is_alive(kOnce + 6s + Pulse::kLimit));
}

TEST(Pulse, AChangeOfAHundredServicesEndsAHangWithinThePromise) {
  Pulse pulse;
  pulse.beat(kOnce, 100 * 100);
  EXPECT_FALSE(pulse.is_alive(kOnce + Pulse::kPromise - Pulse::kLookInterval));
}

}  // namespace
}  // namespace wsl4::runtime
