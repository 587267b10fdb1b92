#include "daemon/flows/reaper.h"

#include <algorithm>
#include <utility>

namespace wsl4::flows {

namespace {

using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{5'000};
/// At once: about 4 ms of the kernel's time.
constexpr std::size_t kBudget = 512;

bool has_closed(const Flow& flow) { return flow.tcp_state == TcpState::kTimeWait || flow.tcp_state == TcpState::kClose; }

}  // namespace

void Reaper::offer(const Flow& flow, TimePoint now) {
  const bool closes = mark_.is_closing(flow.mark) || has_closed(flow);
  if (!closes || flow.original.protocol != netlink::Protocol::kTcp || !backends_.contains(mark_.to_id(flow.mark))) return;
  if (waiting_.size() >= kMostWaiting || !known_.insert(flow.id).second) return;
  waiting_.emplace(has_closed(flow) ? now : now + kFirstPause, Waiting{flow, kFirstPause});
}

std::optional<Reaper::TimePoint> Reaper::due() const {
  return waiting_.empty() ? std::nullopt : std::optional(waiting_.begin()->first);
}

netlink::Result<std::vector<Flow>> Reaper::step(TimePoint now) {
  std::vector<Waiting> looked;
  std::vector<Flow> flows, closed;
  while (!waiting_.empty() && waiting_.begin()->first <= now && flows.size() + closed.size() < kBudget) {
    auto waiting = waiting_.extract(waiting_.begin()).mapped();
    known_.erase(waiting.flow.id);
    if (has_closed(waiting.flow)) {  // it does not come to life again: a new flow is another entry
      closed.push_back(waiting.flow);
      continue;
    }
    flows.push_back(waiting.flow);
    looked.push_back(waiting);
  }
  const auto found = conntrack_.find(flows);
  if (!found) return tl::make_unexpected(found.error());
  for (std::size_t i = 0; i < found->size(); ++i) {
    auto& [flow, pause] = looked[i];
    if (!(*found)[i]) continue;
    if (has_closed(*(*found)[i])) {
      closed.push_back(flow);
      continue;
    }
    known_.insert(flow.id);
    pause = std::min(2 * pause, kLongestPause);
    waiting_.emplace(now + pause, looked[i]);
  }
  if (const auto erased = conntrack_.erase(closed); !erased) return tl::make_unexpected(erased.error());
  return closed;
}

}  // namespace wsl4::flows
