// Slots dealt to backends: slot i of the result belongs to the backend with that index. Pure, and equal on every node for equal
// input. Weights are 0 and up; a backend of weight 0 gets no slot. With no weight above 0 the result is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wsl4::balance {

using Slots = std::vector<std::uint32_t>;

/// A rewrite of so many slots takes the kernel about 8 ms.
inline constexpr std::size_t kMaxCountedSlots = 4096;

/// For counters and chance: as many slots as the weights need to be met exactly (their sum over their greatest common divisor), at
/// most kMaxCountedSlots; above that by largest remainder, with one slot more for each backend whose share is less than one.
/// Interleaved, so that a heavy backend does not get its flows in one burst.
[[nodiscard]] Slots deal_in_turn(std::span<const int> weights);

/// So many slots for each backend, spread: smooth weighted round robin, as nginx does it. Takes slots x backends steps: 2 ms
/// for 4096 x 512.
[[nodiscard]] Slots interleave(std::span<const std::int64_t> counts);

struct HashCandidate {
  std::string key;  // what the backend's places are drawn from: unique, the same on every node, not its position
  int weight = 1;
};

/// Number of slots for so many backends, those of weight 0 included, so that a backend that only rests does not change it. A prime
/// of at least 800 a backend, which keeps needless movement below 1 % (measured; the paper's 100 do not). Another number of slots
/// moves nearly every client: that happens only between 20 and 21, 81 and 82, 327 and 328 backends. 16,381 slots cost the kernel
/// about 40 ms once and 1 MB.
[[nodiscard]] std::uint32_t hash_table_size(std::size_t backends);

/// For source-hash: a Maglev table (Eisenbud et al., NSDI 2016, section 3.4), weighted. Removing one of N backends of a deal moves
/// its own slots and at most 1 % of all others.
[[nodiscard]] Slots deal_by_hash(std::span<const HashCandidate> candidates);

}  // namespace wsl4::balance
