// When all backends of a service fail together, the fault is more likely this node's or its network's: then no flow is reset
// (contract: it is a warning). Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "daemon/config/config.h"
#include "daemon/health/standing.h"

namespace wsl4::health {

enum class Fault : std::uint8_t {
  kBackend,  // another backend has answered since, or failed at another time
  kOurs,     // all that did not fail long before failed together
  kOpen,     // the others have not been checked since: ask again after a moment
};

/// Failures so far apart have one cause: an interval with its jitter, and the time of a check.
[[nodiscard]] std::chrono::milliseconds one_interval(const config::Health& health);

/// Whose fault it is that backends[fallen] is down. `backends` are all of the service that are checked. The answer stays kOpen no
/// longer than the failing others need to come to a verdict, or those without any need to pass `window` (one_interval).
[[nodiscard]] Fault fault_of(std::span<const Standing> backends, std::size_t fallen, std::chrono::milliseconds window,
                             TimePoint now);

/// Of one that was down by kOurs: whether the fault is its own by now. Another backend is up again since `recovered`, and this one
/// has failed a check more than `window` later.
[[nodiscard]] bool has_stayed_down(const Standing& fallen, TimePoint recovered, std::chrono::milliseconds window);

}  // namespace wsl4::health
