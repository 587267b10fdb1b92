// When the ports of a backend endpoint are dealt in blocks, when they are dealt anew, and when they will be used up. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "daemon/balance/port_blocks.h"

namespace wsl4::balance {

/// How a backend's new flows get their ports: from the whole range of the next pool address, which needs nobody, or from the blocks
/// that are dealt.
enum class PortMode : std::uint8_t { kRange, kBlocks };

/// kBlocks from 50 % use of the fullest pair of pool address and backend on; kRange again below 30 %. Between the two both would
/// do: the range loses its first flows at 80 to 85 % (measured), and where less than a third is in use its five random starts do
/// not all meet full stretches. Also kBlocks if the pair will have reached 80 % in a second, which leaves time to count and to
/// commit. `fullest` is a share of the ports (0-1), `growth` what it grows by in a second. Pairs of dead paths do not count.
[[nodiscard]] PortMode port_mode(PortMode present, double fullest, double growth);

/// The least time between two deals.
inline constexpr std::chrono::milliseconds kShortestDeal{10};

/// What has happened since a deal.
struct DealAge {
  std::chrono::milliseconds passed{0};
  std::uint64_t begun = 0;  // flows that took a port
  std::uint64_t ended = 0;  // flows that gave theirs back
};

/// After kShortestDeal, a deal is renewed when
///   - so many flows have begun as make a tenth of the ports that were free, or a third of what the deal lasts, and at least one
///     (simulated: nobody is refused up to 99 % use);
///   - it has become unfair by flows that ended: as many as ports were free, so that half of what is free now was not thought of.
///     For a full backend the first one.
/// With neither the slots stay as they are, however long. Whoever excludes an address, or takes it back, deals at once.
[[nodiscard]] bool deal_is_due(const PortDeal& deal, const DealAge& age);

struct UseSample {
  std::chrono::steady_clock::time_point at;
  std::uint64_t held = 0;  // ports
};

/// By how many ports a second the use grows: the slope of the straight line through the samples (least squares), if it rises and
/// explains at least half of their variance; else 0. So use that only goes up and down does not grow.
[[nodiscard]] double growth_per_second(std::span<const UseSample> samples);

/// Until `capacity` ports are held, at the samples' growth. None if they do not grow, or it takes more than a year. `samples` are
/// in the order of time.
[[nodiscard]] std::optional<std::chrono::seconds> time_until_full(std::span<const UseSample> samples, std::uint64_t capacity);

}  // namespace wsl4::balance
