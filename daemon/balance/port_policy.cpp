#include "daemon/balance/port_policy.h"

#include <algorithm>

namespace wsl4::balance {

namespace {

constexpr double kBlocksFrom = 0.5, kRangeBelow = 0.3;
constexpr double kRangeRefuses = 0.8;
constexpr std::uint64_t kFreePart = 10, kLastingPart = 3;
constexpr double kExplained = 0.5;
constexpr std::chrono::hours kFarthest{365 * 24};

using Seconds = std::chrono::duration<double>;

}  // namespace

PortMode port_mode(PortMode present, double fullest, double growth) {
  if (fullest >= kBlocksFrom || fullest + growth >= kRangeRefuses) return PortMode::kBlocks;
  return fullest < kRangeBelow ? PortMode::kRange : present;
}

bool deal_is_due(const PortDeal& deal, const DealAge& age) {
  if (age.passed < kShortestDeal) return false;
  const auto lasting = std::min(deal.free / kFreePart, deal.lasts / kLastingPart);
  return age.begun >= std::max<std::uint64_t>(lasting, 1) || age.ended >= std::max<std::uint64_t>(deal.free, 1);
}

double growth_per_second(std::span<const UseSample> samples) {
  if (samples.size() < 2) return 0;
  const auto n = static_cast<double>(samples.size());
  const auto time_of = [&](const UseSample& sample) { return Seconds(sample.at - samples.front().at).count(); };
  double time = 0, held = 0;
  for (const auto& sample : samples) {
    time += time_of(sample) / n;
    held += static_cast<double>(sample.held) / n;
  }
  double time_time = 0, time_held = 0, held_held = 0;
  for (const auto& sample : samples) {
    const auto from_time = time_of(sample) - time, from_held = static_cast<double>(sample.held) - held;
    time_time += from_time * from_time;
    time_held += from_time * from_held;
    held_held += from_held * from_held;
  }
  const bool grows = time_held > 0 && time_held * time_held >= kExplained * time_time * held_held;
  return grows ? time_held / time_time : 0;
}

std::optional<std::chrono::seconds> time_until_full(std::span<const UseSample> samples, std::uint64_t capacity) {
  const auto growth = growth_per_second(samples);
  if (growth <= 0) return std::nullopt;
  const auto held = samples.back().held;
  const Seconds left(held >= capacity ? 0 : static_cast<double>(capacity - held) / growth);
  if (left > kFarthest) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(left);
}

}  // namespace wsl4::balance
