// Which flows have been silent for longer than their service allows. Pure.
//
// The kernel restarts a flow's timer with each packet at `nf_conntrack_tcp_timeout_established`, or at 300 s while data is
// unacknowledged (nf_conntrack_tcp_timeout_unacknowledged). So the remaining time tells the silence, but only above 300 s: below
// that the timer may have begun there. The sysctl is set to the longest idle_timeout + 600 s, which leaves every service a window
// above it.
#pragma once

#include <chrono>

#include "netlink/conntrack/flow.h"

namespace wsl4::flows {

/// Flows with this much time left or less may be ones whose data was never acknowledged; the kernel ends them itself.
inline constexpr std::chrono::seconds kUnacknowledgedTimeout{300};
/// What the sysctl is above the longest idle_timeout.
inline constexpr std::chrono::seconds kEstablishedMargin{600};

/// `established_timeout` is the sysctl's value, `idle_timeout` the service's (0 = never).
[[nodiscard]] bool is_idle(const netlink::conntrack::Flow& flow, std::chrono::seconds established_timeout,
                           std::chrono::milliseconds idle_timeout);

/// How long to wait between two looks at all flows, so that a flow ends between 1.0 and 1.1 times `shortest_idle_timeout` (+ 60 s),
/// and the looking costs at most a hundredth of the time (`last_dump` is how long the last one took).
[[nodiscard]] std::chrono::milliseconds look_interval(std::chrono::milliseconds shortest_idle_timeout,
                                                      std::chrono::milliseconds last_dump);

}  // namespace wsl4::flows
