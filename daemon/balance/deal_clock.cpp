#include "daemon/balance/deal_clock.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wsl4::balance {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kSecond{1};
constexpr double kShortestPart = Seconds{DealClock::kShortestInterval} / DealClock::kInterval;

}  // namespace

void DealClock::decay(TimePoint now) {
  const Seconds passed = now - decayed_at_;
  in_interval_ *= std::exp(-passed / kInterval);
  in_second_ *= std::exp(-passed / kSecond);
  decayed_at_ = now;
}

void DealClock::arrived(std::uint64_t flows, TimePoint now) {
  if (flows == 0) return;
  if (arrived_ == 0) from_rest_ = now >= dealt_at_ + kInterval;
  decay(now);
  in_interval_ += static_cast<double>(flows);
  in_second_ += static_cast<double>(flows);
  arrived_ += flows;
  changed_ = true;
}

void DealClock::expect(std::uint64_t flows, TimePoint now) {
  decay(now);
  in_second_ += static_cast<double>(flows);
  changed_ = true;
}

std::optional<DealClock::TimePoint> DealClock::due(std::optional<std::uint64_t> free) const {
  if (!changed_) return std::nullopt;
  const auto arrived = static_cast<double>(arrived_);
  const bool too_many = arrived > 2 * dealt_for_;
  const bool tight = free && arrived >= std::max(1.0, static_cast<double>(*free) / kTightPart);
  return dealt_at_ + (urgent_ || too_many || tight ? kShortestInterval : kInterval);
}

double DealClock::deal(TimePoint now, std::optional<std::uint64_t> free) {
  decay(now);
  double expected = std::max(in_interval_, in_second_ * (kInterval / kSecond));
  if (free) expected = std::min(expected, std::max(expected * kShortestPart, static_cast<double>(*free) / kTightPart));
  if (from_rest_) expected = std::max(expected, static_cast<double>(std::min(free.value_or(kPerhapsMore), kPerhapsMore)));
  dealt_for_ = std::max(1.0, std::floor(expected));  // whole: 1.1 would send a tenth of the next flow past the emptiest
  dealt_at_ = now;
  arrived_ = 0;
  urgent_ = false;
  changed_ = std::exchange(from_rest_, false);
  return dealt_for_;
}

}  // namespace wsl4::balance
