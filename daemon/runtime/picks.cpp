#include "daemon/runtime/picks.h"

namespace wsl4::runtime {

namespace {
/// Beyond so many at once the oldest are forgotten early.
constexpr std::size_t kMostPicks = 100'000;
}  // namespace

void Picks::forget_oldest() {
  const auto pending = pending_.find(picks_.front());
  if (--pending->second == 0) pending_.erase(pending);
  picks_.pop_front();
  times_.pop_front();
}

std::optional<std::size_t> Picks::pick(const std::string& service, std::span<const PickCandidate> candidates, TimePoint now) {
  while (!picks_.empty() && (now - times_.front() >= kLifetime || picks_.size() >= kMostPicks)) forget_oldest();
  std::optional<std::size_t> best;
  double least = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& candidate = candidates[i];
    if (candidate.weight <= 0) continue;
    const auto pending = pending_.find({service, candidate.address});
    const auto waiting = pending == pending_.end() ? 0 : pending->second;
    if (candidate.room && *candidate.room <= waiting) continue;
    const auto load = static_cast<double>(candidate.connections + waiting + 1) / candidate.weight;
    if (best && load >= least) continue;
    best = i;
    least = load;
  }
  if (!best) return best;
  picks_.emplace_back(service, candidates[*best].address);
  times_.push_back(now);
  ++pending_[picks_.back()];
  return best;
}

}  // namespace wsl4::runtime
