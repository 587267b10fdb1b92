#include "daemon/flows/idle.h"

#include <algorithm>

namespace wsl4::flows {

namespace {

/// Counts are corrected at least this often even if nothing can become idle: half-open entries are seen by dumps only.
constexpr std::chrono::milliseconds kLongestInterval{30'000};
constexpr std::chrono::milliseconds kShortestInterval{2'000};
constexpr int kLooksPerTimeout = 20;
constexpr int kCostShare = 100;

}  // namespace

bool is_idle(const netlink::conntrack::Flow& flow, std::chrono::seconds established_timeout,
             std::chrono::milliseconds idle_timeout) {
  if (idle_timeout.count() == 0 || flow.tcp_state != netlink::conntrack::TcpState::kEstablished) return false;
  return flow.timeout > kUnacknowledgedTimeout && flow.timeout <= established_timeout - idle_timeout;
}

std::chrono::milliseconds look_interval(std::chrono::milliseconds shortest_idle_timeout, std::chrono::milliseconds last_dump) {
  auto interval = kLongestInterval;
  if (shortest_idle_timeout.count() != 0)
    interval = std::clamp(shortest_idle_timeout / kLooksPerTimeout, kShortestInterval, kLongestInterval);
  return std::max(interval, last_dump * kCostShare);
}

}  // namespace wsl4::flows
