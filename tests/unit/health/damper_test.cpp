#include "daemon/health/damper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace wsl4::health {
namespace {

using namespace std::chrono_literals;

constexpr Damper::Limits kLimits{2, 3};
TimePoint at(int second) { return TimePoint() + 1h + std::chrono::seconds(second); }

/// One letter a check, a second apart: o = ok, c = failed to connect, a = wrong answer, n = no verdict. Returns how often something
/// changed.
int feed(Damper& damper, const std::string& checks, Damper::Limits limits = kLimits, int start = 0) {
  int changes = 0;
  for (const char check : checks) {
    const auto outcome = check == 'o'   ? Outcome::kOk
                         : check == 'c' ? Outcome::kConnectFailed
                         : check == 'a' ? Outcome::kWrongAnswer
                                        : Outcome::kNoVerdict;
    changes += damper.record({outcome, std::string(1, check)}, limits, at(start++)) ? 1 : 0;
  }
  return changes;
}

Standing after(const std::string& checks, Damper::Limits limits = kLimits) {
  Damper damper;
  feed(damper, checks, limits);
  return damper.standing();
}

TEST(Damper, IsCheckingUntilItsFirstVerdict) {
  EXPECT_EQ(after("").state, State::kChecking);
  EXPECT_EQ(after("").ok, std::nullopt);
  EXPECT_EQ(after("n").state, State::kChecking);
  EXPECT_EQ(after("n").ok, std::nullopt);
  EXPECT_EQ(after("cc").state, State::kChecking);
  EXPECT_EQ(after("cc").ok, false);
}

TEST(Damper, TheFirstGoodCheckBringsANewBackendUp) {
  EXPECT_EQ(after("o").state, State::kUp);
  EXPECT_EQ(after("cco").state, State::kUp);
}

TEST(Damper, FallBadChecksInARowTakeItDownAndRiseGoodOnesBack) {
  EXPECT_EQ(after("ccc").state, State::kDown);
  EXPECT_EQ(after("occ").state, State::kUp);
  EXPECT_EQ(after("occoccocc").state, State::kUp);
  EXPECT_EQ(after("oaaa").state, State::kDown);
  EXPECT_EQ(after("occco").state, State::kDown);
  EXPECT_EQ(after("occcococo").state, State::kDown);
  EXPECT_EQ(after("occcoo").state, State::kUp);
  EXPECT_EQ(after("c", {1, 1}).state, State::kDown);
  EXPECT_EQ(after("co", {1, 1}).state, State::kUp);
}

TEST(Damper, NoVerdictChangesNothingButTheDetail) {
  EXPECT_EQ(after("ocncnc").state, State::kDown);
  EXPECT_EQ(after("occcnono").state, State::kUp);
  const auto standing = after("on");
  EXPECT_EQ(standing.ok, true);
  EXPECT_EQ(standing.detail, "n");
  EXPECT_EQ(standing.checked, at(0));
}

TEST(Damper, ItGoesDownForConnectingOnlyIfAllFailedToConnect) {
  EXPECT_EQ(after("occ").failure, Failure::kNone);
  EXPECT_EQ(after("occc").failure, Failure::kConnect);
  EXPECT_EQ(after("ocnncc").failure, Failure::kConnect);
  EXPECT_EQ(after("oacc").failure, Failure::kAnswer);
  EXPECT_EQ(after("occa").failure, Failure::kAnswer);
  EXPECT_EQ(after("occcoo").failure, Failure::kNone);
}

TEST(Damper, ADownBackendThatCannotBeConnectedAnyMoreIsToldOnce) {
  Damper damper;
  EXPECT_EQ(feed(damper, "oaaa"), 2);
  EXPECT_EQ(feed(damper, "cc"), 0);
  EXPECT_EQ(damper.standing().failure, Failure::kAnswer);
  EXPECT_EQ(feed(damper, "c"), 1);
  EXPECT_EQ(damper.standing().failure, Failure::kConnect);
  EXPECT_EQ(feed(damper, "caaaccc"), 0);
  EXPECT_EQ(damper.standing().failure, Failure::kConnect);
}

TEST(Damper, RemembersWhen) {
  const auto standing = after("ococcccoc");  // down at 5
  EXPECT_EQ(standing.state, State::kDown);
  EXPECT_EQ(standing.failing_since, at(3));
  EXPECT_EQ(standing.down_since, at(5));
  EXPECT_EQ(standing.last_ok, at(7));
  EXPECT_EQ(standing.checked, at(8));
}

TEST(Damper, NewLimitsHoldFromTheNextCheckOn) {
  Damper damper;
  feed(damper, "oc");
  feed(damper, "c", {2, 2});
  EXPECT_EQ(damper.standing().state, State::kDown);
  feed(damper, "oo", {5, 2});
  EXPECT_EQ(damper.standing().state, State::kDown);
  feed(damper, "ooo", {5, 2});
  EXPECT_EQ(damper.standing().state, State::kUp);
}

/// The plain words of the header, read from the whole history.
struct Reference {
  State state = State::kChecking;
  Failure failure = Failure::kNone;
};

Reference reference(const std::string& checks, Damper::Limits limits) {
  Reference result;
  std::string verdicts;
  const auto ends_with = [&](int number, const std::string& letters) {
    const auto size = static_cast<std::size_t>(number);
    return verdicts.size() >= size && verdicts.find_last_not_of(letters) + 1 + size <= verdicts.size();
  };
  for (const char check : checks) {
    if (check == 'n') continue;
    verdicts += check;
    if (result.state != State::kDown && ends_with(limits.fall, "ca"))
      result = {State::kDown, ends_with(limits.fall, "c") ? Failure::kConnect : Failure::kAnswer};
    else if (result.state == State::kDown && ends_with(limits.fall, "c"))
      result.failure = Failure::kConnect;
    else if (check == 'o' && (result.state != State::kDown || ends_with(limits.rise, "o")))
      result = {State::kUp, Failure::kNone};
  }
  return result;
}

TEST(Damper, DoesWhatItsHeaderSaysForAnyHistory) {
  for (unsigned seed = 0; seed < 2'000; ++seed) {
    std::mt19937 random(seed);
    const Damper::Limits limits{1 + static_cast<int>(random() % 4), 1 + static_cast<int>(random() % 5)};
    const std::string letters = random() % 2 == 0 ? "ooccan" : "occccaan";
    std::string checks;
    Damper damper;
    auto before = Reference();
    for (int step = 0; step < 60; ++step) {
      checks += letters[random() % letters.size()];
      const bool changed = feed(damper, checks.substr(checks.size() - 1), limits, step) > 0;
      const auto now = reference(checks, limits);
      ASSERT_EQ(damper.standing().state, now.state) << "seed " << seed << " after " << checks;
      ASSERT_EQ(damper.standing().failure, now.failure) << "seed " << seed << " after " << checks;
      ASSERT_EQ(changed, now.state != before.state || now.failure != before.failure) << "seed " << seed << " after " << checks;
      before = now;
    }
  }
}

TEST(Damper, APresumedStateCountsUntilChecksSayOtherwise) {
  Damper damper;
  damper.presume(State::kUp, at(0));
  EXPECT_EQ(damper.standing().state, State::kUp);
  EXPECT_EQ(feed(damper, "cc"), 0);
  EXPECT_EQ(feed(damper, "c"), 1);
  EXPECT_EQ(damper.standing().failure, Failure::kConnect);
  EXPECT_EQ(feed(damper, "oo"), 1);
  EXPECT_EQ(damper.standing().state, State::kUp);
}

TEST(Damper, ThatOneIsDownIsConfirmedOnce) {
  for (const auto& [checks, failure] :
       {std::pair{"ccc", Failure::kConnect}, {"cac", Failure::kAnswer}, {"aaa", Failure::kAnswer}}) {
    for (const auto* before : {"", "ooo", "ccc", "aaa"}) {
      Damper damper;
      feed(damper, before);
      damper.presume(State::kDown, at(100));
      EXPECT_EQ(damper.standing().state, State::kDown);
      EXPECT_EQ(damper.standing().failure, Failure::kNone);
      EXPECT_EQ(feed(damper, std::string(checks).substr(0, 2)), 0) << before << " " << checks;
      EXPECT_EQ(feed(damper, std::string(checks).substr(2)), 1) << before << " " << checks;
      EXPECT_EQ(damper.standing().failure, failure);
      EXPECT_EQ(feed(damper, checks), failure == Failure::kAnswer && checks == std::string("ccc") ? 1 : 0);
      EXPECT_EQ(feed(damper, "oo"), 1);
    }
  }
}

TEST(Damper, OneThatIsStillDownKeepsItsTimes) {
  Damper damper;
  feed(damper, "occc");
  damper.presume(State::kDown, at(50));
  EXPECT_EQ(damper.standing().failing_since, at(1));
  EXPECT_EQ(damper.standing().down_since, at(3));
  feed(damper, "oo", kLimits, 51);
  damper.presume(State::kDown, at(60));
  EXPECT_EQ(damper.standing().failing_since, at(60));
}

}  // namespace
}  // namespace wsl4::health
