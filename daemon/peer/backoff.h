// How long to wait before the next try to connect: twice as long each time up to a limit, and scattered, so that two nodes do not
// try in step. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace wsl4::peer {

class Backoff {
 public:
  using Duration = std::chrono::milliseconds;
  Backoff(Duration first, Duration last) : first_(first), last_(last), next_(first) {}

  /// `random`: 0 to 1. Between half and one and a half times what is due.
  [[nodiscard]] Duration next(double random) {
    const auto due = std::chrono::duration<double, std::milli>(next_) * (0.5 + random);
    next_ = std::min(2 * next_, last_);
    return std::chrono::duration_cast<Duration>(due);
  }
  void reset() { next_ = first_; }

 private:
  Duration first_, last_, next_;
};

}  // namespace wsl4::peer
