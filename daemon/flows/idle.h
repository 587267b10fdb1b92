// Which flows have been silent for longer than their service allows. Pure.
//
// The kernel restarts a flow's timer with each packet at `nf_conntrack_tcp_timeout_established`, or at 300 s while data is
// unacknowledged (nf_conntrack_tcp_timeout_unacknowledged). So the remaining time tells the silence, but only above 300 s: below
// that the timer may have begun there. The sysctl is set to the longest idle_timeout + 600 s, which leaves every service a window
// above it.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "netlink/conntrack/flow.h"

namespace wsl4::flows {

/// Flows with this much time left or less may be ones whose data was never acknowledged; the kernel ends them itself.
inline constexpr std::chrono::seconds kUnacknowledgedTimeout{300};
/// What the sysctl is above the longest idle_timeout.
inline constexpr std::chrono::seconds kEstablishedMargin{600};

/// What the sysctl is at most, also where a service's flows are never idle: 18.5 days. Above it are the timers of copies
/// (bridge.h).
inline constexpr std::chrono::seconds kLongestEstablished{1'600'000};

/// The values that the sysctl has had. A flow's timer began at the value that was in force at its last packet, so what is left of
/// it tells the silence only together with when each value was in force: a reload that raises the value must not make a flow that
/// has just spoken look silent for hours, nor must the restart of a daemon. The stamps count from the machine's boot, without the
/// time that it slept, as the kernel's timers do; so they are kept over restarts (runtime/state_store.h).
class TimeoutHistory {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// A value that may have been in force between `first` (the last look that saw another, or the first of all) and `last` (the
  /// first that did again; TimePoint::max() if none has).
  struct Era {
    std::chrono::seconds value;
    TimePoint first, last;
    friend bool operator==(const Era&, const Era&) = default;
  };

  TimeoutHistory() = default;
  /// As kept, oldest first.
  explicit TimeoutHistory(std::vector<Era> eras);

  /// The sysctl is `value` now.
  void seen(std::chrono::seconds value, TimePoint now);

  /// For how long at least a flow with so much time left has been silent, whichever value its timer began at. None: it began at a
  /// value that nobody has seen, or before the first look.
  [[nodiscard]] std::optional<std::chrono::seconds> silence(std::chrono::seconds left, TimePoint now) const;

  [[nodiscard]] const std::vector<Era>& eras() const { return eras_; }
  /// The same values at the same times.
  friend bool operator==(const TimeoutHistory& one, const TimeoutHistory& other) { return one.eras_ == other.eras_; }

 private:
  std::vector<Era> eras_;  // oldest first
  TimePoint last_look_;
};

/// `idle_timeout` is the service's (0 = never).
[[nodiscard]] bool is_idle(const netlink::conntrack::Flow& flow, const TimeoutHistory& history,
                           std::chrono::milliseconds idle_timeout, TimeoutHistory::TimePoint now);

/// Its timer tells nothing about how long it has been silent. Who starts the timer anew knows from then on.
[[nodiscard]] bool is_unexplained(const netlink::conntrack::Flow& flow, const TimeoutHistory& history,
                                  TimeoutHistory::TimePoint now);

/// What the last look at all flows has taken.
struct LookCost {
  std::chrono::milliseconds processor{0}, passed{0};
};

/// How long to wait between two looks, so that a flow ends between 1.0 and 1.1 times `shortest_idle_timeout` (+ 60 s), and, as far
/// as that allows, the looking costs at most a hundredth of the time.
[[nodiscard]] std::chrono::milliseconds look_interval(std::chrono::milliseconds shortest_idle_timeout, LookCost last);

}  // namespace wsl4::flows
