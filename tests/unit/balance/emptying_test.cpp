#include "daemon/balance/emptying.h"

#include <gtest/gtest.h>

namespace wsl4::balance {
namespace {

using namespace std::chrono_literals;

TEST(Emptying, TheRestGoesAsFastAsTheOnesBefore) {
  const Emptying emptying{Emptying::Time{}, 60'000};
  EXPECT_EQ(emptying.empty_in(45'000, Emptying::Time{} + 8h), 24h);
  EXPECT_EQ(emptying.empty_in(0, Emptying::Time{} + 8h), 0s);
}

TEST(Emptying, TellsNothingUntilSomeHaveEnded) {
  const Emptying emptying{Emptying::Time{}, 100};
  EXPECT_EQ(emptying.empty_in(100, Emptying::Time{} + 1h), std::nullopt);
  EXPECT_EQ(emptying.empty_in(101, Emptying::Time{} + 1h), std::nullopt) << "its last handshakes were under way";
}

}  // namespace
}  // namespace wsl4::balance
