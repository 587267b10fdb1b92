#include "daemon/health/backend_health.h"

#include <algorithm>

namespace wsl4::health {

namespace {

Paths::Lean lean_of(const Damper& damper) {
  if (damper.standing().state == State::kDown) return damper.good() > 0 ? Paths::Lean::kCareful : Paths::Lean::kInTurn;
  if (damper.bad() > 0) return Paths::Lean::kCareful;
  return damper.standing().state == State::kUp ? Paths::Lean::kSettled : Paths::Lean::kInTurn;
}

}  // namespace

std::optional<IpAddress> BackendHealth::next_source(const Usable& usable) { return paths_.next(lean_of(damper_), usable); }

bool BackendHealth::record(const IpAddress& source, const CheckResult& result, TimePoint now) {
  const auto [votes, paths_changed] = paths_.record(source, result.outcome, limits_);
  if (!votes) return paths_changed;
  auto limits = limits_;
  if (paths_.voters() >= 2) limits.fall = std::max(limits.fall, 2);
  const bool changed = damper_.record(result, limits, now);
  if (damper_.standing().state == State::kDown) paths_.acquit();
  return changed || paths_changed;
}

void BackendHealth::record_no_source(TimePoint now) {
  damper_.record({Outcome::kNoVerdict, "no source address has room for a check"}, limits_, now);
}

void BackendHealth::take_over(const std::optional<PeerVerdict>& found, TimePoint now) {
  if (!found) return damper_.presume(damper_.standing().state, now);
  damper_.presume(found->down ? State::kDown : State::kUp, now);
  paths_.presume(found->excluded);
}

// While checks fail in a row their usual pace is what `fall` times `interval` promises; only the first of them may be a path's.
bool BackendHealth::hurries(const Usable& usable) const {
  switch (damper_.standing().state) {
    case State::kChecking:
      return damper_.bad() > 0;
    case State::kUp:
      return damper_.bad() <= 1 && paths_.urgent(usable);
    case State::kDown:
      return false;
  }
  return false;
}

}  // namespace wsl4::health
