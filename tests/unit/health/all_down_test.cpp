#include "daemon/health/all_down.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace wsl4::health {
namespace {

using namespace std::chrono_literals;

TimePoint at(std::chrono::milliseconds time) { return TimePoint() + 1h + time; }

const config::Health kHealth;
const auto kWindow = one_interval(kHealth);

/// Down since `time`, having failed first two intervals before.
Standing fallen(std::chrono::milliseconds time) {
  Standing standing;
  standing.state = State::kDown;
  standing.ok = false;
  standing.down_since = at(time);
  standing.failing_since = at(time - 4s);
  return standing;
}

Standing failing(std::chrono::milliseconds since) {
  Standing standing;
  standing.state = State::kUp;
  standing.ok = false;
  standing.failing_since = at(since);
  return standing;
}

Standing good(std::chrono::milliseconds last) {
  Standing standing;
  standing.state = State::kUp;
  standing.ok = true;
  standing.last_ok = at(last);
  return standing;
}

Fault fault(const std::vector<Standing>& backends, std::chrono::milliseconds now) {
  return fault_of(backends, 0, kWindow, at(now));
}

TEST(AllDown, TheWindowIsAnIntervalAndACheck) { EXPECT_EQ(kWindow, 2200ms + 1000ms); }

TEST(AllDown, AnotherBackendThatAnsweredSinceClearsUs) {
  EXPECT_EQ(fault({fallen(0s), good(-1s)}, 0s), Fault::kBackend);
  EXPECT_EQ(fault({fallen(0s), good(-1s), failing(-3s)}, 0s), Fault::kBackend);
}

TEST(AllDown, OneThatComesUpAgainClearsUsToo) {
  auto rising = fallen(-1s);
  rising.ok = true;
  rising.last_ok = at(0s);
  EXPECT_EQ(fault({fallen(0s), rising}, 0s), Fault::kBackend);
}

TEST(AllDown, AnAnswerFromBeforeSaysNothing) {
  EXPECT_EQ(fault({fallen(0s), good(-5s)}, 0s), Fault::kOpen);
  EXPECT_EQ(fault({fallen(0s), good(-5s)}, kWindow), Fault::kOpen);
  EXPECT_EQ(fault({fallen(0s), good(-5s)}, kWindow + 1ms), Fault::kBackend);  // it is not checked any more
}

TEST(AllDown, WhileOthersFailItIsOpen) {
  EXPECT_EQ(fault({fallen(0s), failing(-3s)}, 0s), Fault::kOpen);
  EXPECT_EQ(fault({fallen(0s), fallen(-500ms), failing(-3s)}, 1h), Fault::kOpen);
}

TEST(AllDown, AllThatFellTogetherAreOurs) {
  EXPECT_EQ(fault({fallen(0s), fallen(500ms)}, 500ms), Fault::kOurs);
  EXPECT_EQ(fault({fallen(0s), fallen(-kWindow), fallen(kWindow)}, 5s), Fault::kOurs);
}

TEST(AllDown, OneAfterTheOtherIsTheirs) {
  EXPECT_EQ(fault({fallen(0s), fallen(-20s)}, 0s), Fault::kBackend);
  EXPECT_EQ(fault({fallen(0s), fallen(-kWindow - 1ms)}, 0s), Fault::kBackend);
}

TEST(AllDown, OneThatWasLongDownDoesNotHideThatTheRestFellTogether) {
  EXPECT_EQ(fault({fallen(0s), fallen(-1h + 1min), fallen(100ms)}, 1s), Fault::kOurs);
}

TEST(AllDown, WhoFailsOnWhenAnotherIsBackFailsByItself) {
  const TimePoint now{1h};
  Standing standing;
  standing.ok = false;
  standing.checked = now;
  EXPECT_FALSE(has_stayed_down(standing, now, kWindow)) << "it may not have had a check since";
  EXPECT_FALSE(has_stayed_down(standing, now - kWindow, kWindow));
  EXPECT_TRUE(has_stayed_down(standing, now - kWindow - 1ms, kWindow));
  standing.ok = true;
  EXPECT_FALSE(has_stayed_down(standing, now - 2 * kWindow, kWindow)) << "it is coming back";
}

TEST(AllDown, AServiceOfOneBackendHasNoOther) { EXPECT_EQ(fault({fallen(0s)}, 0s), Fault::kOurs); }

TEST(AllDown, ABackendWithoutAnyVerdictIsWaitedForAWindow) {
  EXPECT_EQ(fault({fallen(0s), Standing()}, 1s), Fault::kOpen);
  EXPECT_EQ(fault({fallen(0s), Standing()}, kWindow + 1ms), Fault::kBackend);
  EXPECT_EQ(fault({fallen(0s), Standing(), fallen(1s)}, kWindow + 1ms), Fault::kOurs);
}

/// All backends lose their network at 0, at some point of their rounds: none is ever called guilty, and in the end it is told.
TEST(AllDown, ACommonFaultIsNeverABackends) {
  for (unsigned seed = 0; seed < 2'000; ++seed) {
    std::mt19937 random(seed);
    const auto between = [&](int least, int most) {
      return std::chrono::milliseconds(least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1)));
    };
    const std::size_t number = 1 + random() % 10;
    std::vector<std::vector<std::chrono::milliseconds>> failures(number);  // of each backend: its first, second and third
    std::vector<std::chrono::milliseconds> times;
    for (auto& own : failures) {
      auto begun = between(0, 2200);
      for (int i = 0; i < 3; ++i, begun += between(1800, 2200)) own.push_back(begun + between(0, 1000));
      times.insert(times.end(), own.begin(), own.end());
    }
    std::ranges::sort(times);
    std::vector<Fault> last(number, Fault::kOpen);
    for (const auto now : times) {
      std::vector<Standing> backends;
      for (const auto& own : failures) {
        auto standing = own[2] <= now ? fallen(own[2]) : own[0] <= now ? failing(own[0]) : good(-1ms);
        standing.failing_since = at(own[0]);
        backends.push_back(standing);
      }
      for (std::size_t i = 0; i < number; ++i)
        if (backends[i].state == State::kDown) last[i] = fault_of(backends, i, kWindow, at(now));
      for (const auto fault : last) ASSERT_NE(fault, Fault::kBackend) << "seed " << seed;
    }
    for (const auto fault : last) ASSERT_EQ(fault, Fault::kOurs) << "seed " << seed;
  }
}

}  // namespace
}  // namespace wsl4::health
