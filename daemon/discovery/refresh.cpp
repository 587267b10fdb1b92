#include "daemon/discovery/refresh.h"

#include <algorithm>
#include <utility>

namespace wsl4::discovery {

using std::chrono::milliseconds;

Refresh::Step Refresh::take(Found found, WallClock::time_point now, double chance) {
  const bool failed = !found.problem.empty();
  Step step;
  if (failed != status_.failing) step.turn = failed ? Turn::kFailed : Turn::kRecovered;
  status_.failing = failed;
  if (failed) {
    status_.last_error = std::move(found.problem);
    step.wait = retry_ / 2 + milliseconds(static_cast<std::int64_t>(static_cast<double>(retry_.count()) / 2 * chance));
    retry_ = std::min<milliseconds>(retry_ * 2, kLastRetry);
  } else {
    status_.last_success = now;
    step.wait = std::clamp(found.ttl, kMinRefresh, kMaxRefresh);
    retry_ = kFirstRetry;
  }
  if (!found.selection.backends.empty()) {
    step.changed = found.selection.backends != backends_;
    backends_ = std::move(found.selection.backends);
    status_.cut = found.selection.cut;
  }
  status_.next_look = now + step.wait;
  return step;
}

}  // namespace wsl4::discovery
