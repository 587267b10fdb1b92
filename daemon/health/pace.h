// When checks happen. Pure; chance comes in as `chance` in [0, 1).
#pragma once

#include <chrono>

namespace wsl4::health {

using Milliseconds = std::chrono::milliseconds;

/// From the start of one check to the start of the next: the interval, ±10 %, so that backends do not fall into step.
[[nodiscard]] Milliseconds pause(Milliseconds interval, double chance);
/// The most that `pause` answers.
[[nodiscard]] Milliseconds longest_pause(Milliseconds interval);
/// The same where a verdict is near: a quarter of the interval, at most 1 s, so that a long interval does not make it wait.
[[nodiscard]] Milliseconds short_pause(Milliseconds interval, double chance);
/// Before a new backend's first check: up to an interval, at most 2 s, so that many new ones do not start at once.
[[nodiscard]] Milliseconds first_pause(Milliseconds interval, double chance);

}  // namespace wsl4::health
