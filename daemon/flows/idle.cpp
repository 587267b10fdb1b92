#include "daemon/flows/idle.h"

#include <algorithm>
#include <utility>

namespace wsl4::flows {

namespace {

/// Counts are corrected at least this often even if nothing can become idle: half-open entries are seen by dumps only.
constexpr std::chrono::milliseconds kLongestInterval{30'000};
constexpr std::chrono::milliseconds kShortestInterval{2'000};
constexpr int kLooksPerTimeout = 20;
constexpr int kCostShare = 100;
/// The kernel tells whole seconds of what is left: up to one more is left in truth.
constexpr std::chrono::seconds kTick{1};
/// Room for that, and for the while that a look takes.
constexpr std::chrono::seconds kSlack{2};
/// What the end of an idle flow may be late, beside a tenth of its time.
constexpr std::chrono::seconds kLateness{60};
constexpr int kLatePart = 10;
/// Beyond so many changes the oldest is forgotten.
constexpr std::size_t kEras = 64;

/// Whether its timer may tell for how long it has been silent.
bool may_tell(const netlink::conntrack::Flow& flow) {
  return flow.tcp_state == netlink::conntrack::TcpState::kEstablished && flow.timeout > kUnacknowledgedTimeout;
}

}  // namespace

TimeoutHistory::TimeoutHistory(std::vector<Era> eras) : eras_(std::move(eras)) {
  if (!eras_.empty()) last_look_ = eras_.back().first;  // since then nobody is known to have looked
}

void TimeoutHistory::seen(std::chrono::seconds value, TimePoint now) {
  if (eras_.empty()) {
    eras_.push_back({value, now, TimePoint::max()});
  } else if (eras_.back().value != value) {
    eras_.back().last = now;
    eras_.push_back({value, last_look_, TimePoint::max()});
    if (eras_.size() > kEras) eras_.erase(eras_.begin());
  }
  last_look_ = now;
}

std::optional<std::chrono::seconds> TimeoutHistory::silence(std::chrono::seconds left, TimePoint now) const {
  std::optional<std::chrono::seconds> least;
  for (const auto& era : eras_) {
    // Where the timer began in this era, the last packet was so long ago, and so within the era.
    const auto passed = era.value - left;
    const bool possible = (era.last == TimePoint::max() || passed >= now - era.last - kSlack) &&
                          passed <= now - era.first + kSlack && passed >= -kSlack;
    if (possible) least = std::min(least.value_or(passed), passed);
  }
  return least;
}

bool is_idle(const netlink::conntrack::Flow& flow, const TimeoutHistory& history, std::chrono::milliseconds idle_timeout,
             TimeoutHistory::TimePoint now) {
  if (idle_timeout.count() == 0 || !may_tell(flow)) return false;
  const auto silence = history.silence(flow.timeout, now);
  return silence && *silence - kTick >= idle_timeout;
}

bool is_unexplained(const netlink::conntrack::Flow& flow, const TimeoutHistory& history, TimeoutHistory::TimePoint now) {
  return may_tell(flow) && !history.silence(flow.timeout, now);
}

std::chrono::milliseconds look_interval(std::chrono::milliseconds shortest_idle_timeout, LookCost last) {
  const auto cheap = last.processor * kCostShare;
  if (shortest_idle_timeout.count() == 0) return std::max(kLongestInterval, cheap);
  const auto usual = std::clamp(shortest_idle_timeout / kLooksPerTimeout, kShortestInterval, kLongestInterval);
  const auto in_time = shortest_idle_timeout / kLatePart + kLateness - kSlack - last.passed;
  return std::max(std::min(std::max(usual, cheap), in_time), kShortestInterval);
}

}  // namespace wsl4::flows
