#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <string_view>

#include "daemon/balance/slots.h"

namespace wsl4::balance {
namespace {

constexpr std::array<std::uint32_t, 4> kSizes{16381, 65521, 262139, 1048573};  // primes
constexpr std::size_t kTableSlotsPerBackend = 800;

/// FNV-1a with a finisher (that of MurmurHash3) that spreads short keys over all bits.
std::uint64_t hash(std::string_view text, std::uint64_t seed) {
  std::uint64_t value = 0xcbf29ce484222325 ^ seed;
  for (const char character : text) value = (value ^ static_cast<unsigned char>(character)) * 0x100000001b3;
  value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
  value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
  return value ^ (value >> 33);
}

/// One backend's walk over all slots in its own order.
class Walker {
 public:
  Walker(const HashCandidate& candidate, std::uint32_t index, std::uint32_t size)
      : place_(static_cast<std::uint32_t>(hash(candidate.key, 1) % size)),
        step_(static_cast<std::uint32_t>(hash(candidate.key, 2) % (size - 1) + 1)),
        size_(size),
        index_(index),
        weight_(static_cast<std::uint64_t>(candidate.weight)),
        tie_break_(hash(candidate.key, 3)) {
    schedule();
  }

  /// Takes the first free slot on its way; there must be one.
  void take(Slots& slots) {
    while (slots[place_] != kFree) advance();
    slots[place_] = index_;
    schedule();
  }

  /// Whose turn comes later. It depends on nobody else's weight, so who leaves does not change the order of those who stay.
  friend bool operator<(const Walker& left, const Walker& right) {
    return std::pair(left.turn_, left.tie_break_) > std::pair(right.turn_, right.tie_break_);
  }

  static constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();

 private:
  void advance() { place_ = static_cast<std::uint32_t>((std::uint64_t{place_} + step_) % size_); }
  /// The k-th turn is at k / weight, in 2^-32 steps.
  void schedule() { turn_ = (++taken_ << 32) / weight_; }

  std::uint32_t place_, step_, size_, index_;
  std::uint64_t weight_, tie_break_, taken_ = 0, turn_ = 0;
};

}  // namespace

std::uint32_t hash_table_size(std::size_t backends) {
  const auto fits = [&](std::uint32_t size) { return size >= kTableSlotsPerBackend * backends; };
  const auto size = std::ranges::find_if(kSizes, fits);
  return size == kSizes.end() ? kSizes.back() : *size;
}

Slots deal_by_hash(std::span<const HashCandidate> candidates) {
  const auto size = hash_table_size(candidates.size());
  std::priority_queue<Walker> walkers;
  for (std::uint32_t i = 0; i < candidates.size(); ++i)
    if (candidates[i].weight > 0) walkers.emplace(candidates[i], i, size);
  if (walkers.empty()) return {};
  Slots slots(size, Walker::kFree);
  for (std::uint32_t left = size; left > 0; --left) {
    auto next = walkers.top();
    walkers.pop();
    next.take(slots);
    walkers.push(next);
  }
  return slots;
}

}  // namespace wsl4::balance
