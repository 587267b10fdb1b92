// Least-connections: what share of the next new flows each backend gets, from live counts, and the slots for these shares. Pure.
//
// With connections c, weights w, and A flows expected until the next deal, the level L solves
//
//     sum of min(limit, max(0, w * L - c)) = A        where limit = min(room, share_cap * A)
//
// and a backend's share is its term of that sum, over A. It is water poured into vessels of width w that stand filled to c: an
// emptier backend fills first, equal ones evenly, and after A flows all that got one have the same connections per weight. With A =
// 1 and whole counts the next flow goes to the emptiest alone; with a large A a burst is spread as it would have been one by one.
// What a backend may not take because of its limit goes to the others.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/balance/slots.h"

namespace wsl4::balance {

struct Load {
  std::uint64_t connections = 0;
  int weight = 100;                        // 0-1000; 0 takes no new flow
  std::optional<std::uint64_t> room = {};  // flows that it may take until it is full; none: it is never full
  double share_cap = 1.0;                  // at most this share of a deal, above 0, at most 1 (slow start)
};

/// The share of each backend, exactly, for `arrivals` >= 1. They sum to 1, unless the room of all that have a weight is less than
/// `arrivals`: then to room / arrivals, and the rest of the flows is to be refused. Caps are lifted before that: what is left when
/// everybody is at its limit is poured once more, without caps. Room is never passed.
[[nodiscard]] std::vector<double> shares(std::span<const Load> backends, double arrivals);

/// Slots for so many backends: eight for each if that is allowed, a power of two from 32 to kMaxCountedSlots, so that it seldom
/// changes. With caps (slow start) at least 64, since a cap is met to the nearest slot only.
[[nodiscard]] std::size_t counted_slots(std::size_t backends, bool with_caps);

/// Whose slot is nobody's: a flow that meets it is refused.
inline constexpr std::uint32_t kNoBackend = UINT32_MAX;

/// Exactly `slots` slots, interleaved; where shares (at most 1 together) leave something, it is kNoBackend's.
///
/// By largest remainder, so nobody is more than one slot off its share; a share of less than half a slot gets one only where such
/// shares together come to whole slots. Errors do not add up: who was dealt too little has fewer connections, and the next deal
/// owes it more. So rounding leaves a backend about arrivals / slots flows off its level at most. A cap has no such memory: to the
/// nearest slot is right on average over a slow start, while always rounding up would give small weights several times their cap.
[[nodiscard]] Slots deal_by_share(std::span<const double> shares, std::size_t slots);

/// The share cap of a backend that began to serve `age` ago, under `slow_start`: from a tenth of its fair share (its part of all
/// weights, its own included) in a straight line to all of it; none (1) from then on, or if slow_start is 0. An `age` below 0 (the
/// clock was set back) counts as 0. Without a cap an empty backend gets every new flow until it is level with the others.
[[nodiscard]] double slow_start_cap(double fair_share, std::chrono::milliseconds age, std::chrono::milliseconds slow_start);

}  // namespace wsl4::balance
