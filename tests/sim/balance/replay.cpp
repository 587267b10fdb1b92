#include "tests/sim/balance/replay.h"

#include <utility>

namespace wsl4::sim {

std::vector<double> fair(const Backends& backends) {
  double flows = 0, weights = 0;
  for (const auto& backend : backends) {
    weights += backend.weight;
    if (backend.weight > 0) flows += static_cast<double>(backend.connections);
  }
  std::vector<double> parts;
  for (const auto& backend : backends) parts.push_back(backend.weight > 0 ? flows * backend.weight / weights : 0);
  return parts;
}

Replay::Replay(const Trace& trace, Policy& policy)
    : trace_(trace), policy_(policy), backends_(trace.backends), got_(backends_.size()) {
  for (std::uint32_t i = 0; i < backends_.size(); ++i)
    flows_.insert(flows_.end(), static_cast<std::size_t>(backends_[i].connections), i);
}

bool Replay::step() {
  if (++ms_ == static_cast<int>(trace_.begin.size())) return false;
  const bool changed = apply_changes();
  for (const auto flow : trace_.end[static_cast<std::size_t>(ms_)]) end(flow);
  policy_.tick(ms_, backends_, changed);
  for (auto left = trace_.begin[static_cast<std::size_t>(ms_)]; left > 0; --left) place(policy_.pick(backends_));
  return true;
}

void Replay::place(std::uint32_t backend) {
  flows_.push_back(backend);
  if (backend == balance::kNoBackend) {
    ++refused_;
    return;
  }
  ++backends_[backend].connections;
  ++got_[backend];
  policy_.tell(backend, 1);
}

void Replay::end(std::uint32_t flow) {
  const auto backend = std::exchange(flows_[flow], balance::kNoBackend);
  if (backend == balance::kNoBackend) return;
  --backends_[backend].connections;
  policy_.tell(backend, -1);
}

bool Replay::apply_changes() {
  const auto first = next_change_;
  for (; next_change_ < trace_.changes.size() && trace_.changes[next_change_].at_ms <= ms_; ++next_change_)
    apply(trace_.changes[next_change_]);
  return next_change_ > first;
}

void Replay::apply(const Change& change) {
  auto& backend = backends_[change.backend];
  if (backend.weight == 0 && change.weight > 0) backend.joined_ms = ms_;
  backend.weight = change.weight;
  if (!change.dies) return;
  for (std::uint32_t flow = 0; flow < flows_.size(); ++flow)
    if (flows_[flow] == change.backend) end(flow);
}

}  // namespace wsl4::sim
