// What a service with discovery goes by between two looks at DNS: the list in use, when to look again, and what to tell. Pure.
//
// The last list stays in use whenever a look finds no backend, also when DNS says plainly that there is none: a balancer that drops
// all its backends is worse than one that keeps sending to old ones.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/discovery/round.h"

namespace wsl4::discovery {

using WallClock = std::chrono::system_clock;

// After a good look the next one comes when the lowest TTL has passed, within these.
inline constexpr std::chrono::seconds kMinRefresh{1}, kMaxRefresh{3600};
// After a look with a problem it comes at random between half and whole of 2, 4, 8, … 60 s.
inline constexpr std::chrono::seconds kFirstRetry{2}, kLastRetry{60};

struct Status {
  std::optional<WallClock::time_point> last_success;
  std::string last_error;             // stays after it has passed
  bool failing = false;               // the last look had a problem
  WallClock::time_point next_look{};  // past while a look is going on
  std::size_t cut = 0;                // addresses left out beyond kMaxBackends
};

class Refresh {
 public:
  enum class Turn : unsigned char { kNone, kFailed, kRecovered };
  struct Step {
    bool changed = false;               // `backends` are others than before
    Turn turn = Turn::kNone;            // told once per change of state
    std::chrono::milliseconds wait{0};  // until the next look
  };

  /// `last`: a list from before, in use until there is a newer one.
  explicit Refresh(std::vector<Backend> last) : backends_(std::move(last)) {}

  /// What a look found. `chance` is a random number, 0 to 1.
  Step take(Found found, WallClock::time_point now, double chance);

  [[nodiscard]] const std::vector<Backend>& backends() const { return backends_; }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  std::vector<Backend> backends_;
  Status status_;
  std::chrono::milliseconds retry_ = kFirstRetry;
};

}  // namespace wsl4::discovery
