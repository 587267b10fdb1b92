#include "daemon/health/damper.h"

#include <algorithm>

namespace wsl4::health {

bool Damper::record(const CheckResult& result, Limits limits, TimePoint now) {
  standing_.detail = result.detail;
  if (result.outcome == Outcome::kNoVerdict) return false;
  standing_.checked = now;
  standing_.ok = result.outcome == Outcome::kOk;
  return *standing_.ok ? record_good(limits.rise, now) : record_bad(result.outcome, limits.fall, now);
}

bool Damper::record_good(int rise, TimePoint now) {
  bad_ = unconnected_ = 0;
  good_ = std::min(good_ + 1, rise);
  standing_.last_ok = now;
  if (standing_.state == State::kUp || (standing_.state == State::kDown && good_ < rise)) return false;
  standing_.state = State::kUp;
  standing_.failure = Failure::kNone;
  return true;
}

bool Damper::record_bad(Outcome outcome, int fall, TimePoint now) {
  const bool down = standing_.state == State::kDown;
  if (bad_ == 0 && !down) standing_.failing_since = now;
  good_ = 0;
  bad_ = std::min(bad_ + 1, fall);
  unconnected_ = outcome == Outcome::kConnectFailed ? std::min(unconnected_ + 1, fall) : 0;
  const auto failure = unconnected_ == fall ? Failure::kConnect : Failure::kAnswer;
  if (!down) {
    if (bad_ < fall) return false;
    standing_.state = State::kDown;
    standing_.down_since = now;
  } else if (standing_.failure == failure ||
             (failure == Failure::kAnswer && (standing_.failure == Failure::kConnect || bad_ < fall))) {
    return false;
  }
  standing_.failure = failure;
  return true;
}

void Damper::presume(State state, TimePoint now) {
  good_ = bad_ = unconnected_ = 0;
  if (state == State::kDown && standing_.state != State::kDown) standing_.failing_since = standing_.down_since = now;
  standing_.state = state;
  standing_.failure = Failure::kNone;
}

}  // namespace wsl4::health
