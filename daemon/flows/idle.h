// Which flows have been silent for longer than their service allows. Pure.
//
// The kernel restarts a flow's timer with each packet at `nf_conntrack_tcp_timeout_established`, or at 300 s while data is
// unacknowledged (nf_conntrack_tcp_timeout_unacknowledged). So the remaining time tells the silence, but only above 300 s: below
// that the timer may have begun there. The sysctl is set to the longest idle_timeout + 600 s, which leaves every service a window
// above it.
#pragma once

#include <chrono>
#include <deque>

#include "netlink/conntrack/flow.h"

namespace wsl4::flows {

/// Flows with this much time left or less may be ones whose data was never acknowledged; the kernel ends them itself.
inline constexpr std::chrono::seconds kUnacknowledgedTimeout{300};
/// What the sysctl is above the longest idle_timeout.
inline constexpr std::chrono::seconds kEstablishedMargin{600};

/// What the sysctl is at most, also where a service's flows are never idle: 18.5 days. Above it are the timers of copies (bridge.h).
inline constexpr std::chrono::seconds kLongestEstablished{1'600'000};

/// The values that the sysctl has had. A flow's timer began at the value that was in force at its last packet, so what is left of
/// it tells the silence only together with when each value was in force: a reload that raises the value must not make a flow that
/// has just spoken look silent for hours.
class TimeoutHistory {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// The sysctl is `value` now. What it was at the first look it has been for ever.
  void seen(std::chrono::seconds value, TimePoint now);

  /// True if a flow with so much time left has been silent for `silence` or longer, whichever value its timer began at.
  [[nodiscard]] bool silent_for(std::chrono::milliseconds silence, std::chrono::seconds left, TimePoint now) const;

 private:
  /// A value that may have been in force between `first` (the last look that saw another) and `last` (the first that did again).
  struct Era {
    std::chrono::seconds value;
    TimePoint first, last;
  };
  std::deque<Era> eras_;  // oldest first
  TimePoint last_look_;
};

/// `idle_timeout` is the service's (0 = never).
[[nodiscard]] bool is_idle(const netlink::conntrack::Flow& flow, const TimeoutHistory& history,
                           std::chrono::milliseconds idle_timeout, TimeoutHistory::TimePoint now);

/// What the last look at all flows has taken.
struct LookCost {
  std::chrono::milliseconds processor, passed;
};

/// How long to wait between two looks, so that a flow ends between 1.0 and 1.1 times `shortest_idle_timeout` (+ 60 s), and, as far
/// as that allows, the looking costs at most a hundredth of the time.
[[nodiscard]] std::chrono::milliseconds look_interval(std::chrono::milliseconds shortest_idle_timeout, LookCost last);

}  // namespace wsl4::flows
