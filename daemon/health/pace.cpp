#include "daemon/health/pace.h"

#include <algorithm>

namespace wsl4::health {

namespace {

constexpr double kJitter = 0.1;
constexpr int kShortShare = 4;
constexpr Milliseconds kLongestShort{1'000};
constexpr Milliseconds kLongestFirst{2'000};

Milliseconds scaled(Milliseconds time, double factor) {
  return Milliseconds(static_cast<Milliseconds::rep>(static_cast<double>(time.count()) * factor));
}

}  // namespace

Milliseconds pause(Milliseconds interval, double chance) { return scaled(interval, 1 - kJitter + 2 * kJitter * chance); }

Milliseconds longest_pause(Milliseconds interval) { return scaled(interval, 1 + kJitter); }

Milliseconds short_pause(Milliseconds interval, double chance) {
  return pause(std::min(interval / kShortShare, kLongestShort), chance);
}

Milliseconds first_pause(Milliseconds interval, double chance) { return scaled(std::min(interval, kLongestFirst), chance); }

}  // namespace wsl4::health
