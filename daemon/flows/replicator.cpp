#include "daemon/flows/replicator.h"

#include <utility>

namespace wsl4::flows {

namespace {

namespace ct = netlink::conntrack;

}  // namespace

Replicator::Replicator(boost::asio::io_context& io, service::MarkLayout mark, ct::Conntrack& conntrack, netlink::TcpProber& prober,
                       const BackendNumbers& numbers, Callbacks callbacks, std::chrono::milliseconds gather_time)
    : mark_(mark),
      callbacks_(std::move(callbacks)),
      limits_(prober),
      injector_(io, conntrack, limits_, mark_, [this](const Injector::Done& finished) { done(finished); }),
      numbers_(numbers),
      gather_time_(gather_time),
      passed_on_at_(Clock::now() - gather_time),
      timer_(io) {
  injector_.tell(std::move(callbacks_.told));
}

void Replicator::follow(const service::StateChange& change, const service::DesiredState& before) { limits_.follow(change, before); }

void Replicator::add(FlowChange::Kind kind, const ct::Flow* flow) {
  FlowChange change{kind, {}};
  if (flow != nullptr) change.flow = to_sync(*flow, mark_.is_closing(flow->mark));
  changes_.push_back(change);
}

void Replicator::seen(const ct::Flow& flow) {
  if (is_copied(flow)) add(FlowChange::Kind::kSeen, &flow);
}

void Replicator::ended(const ct::Flow& flow) {
  if (is_copied(flow)) add(FlowChange::Kind::kEnded, &flow);
}

void Replicator::dump_began() {
  lost_of_dump_ = false;
  add(FlowChange::Kind::kDumpBegan);
}

void Replicator::dumped(const ct::Flow& flow) {
  if (is_copied(flow)) add(FlowChange::Kind::kDumped, &flow);
}

void Replicator::dump_ended(bool whole) {
  add(whole && !lost_of_dump_ ? FlowChange::Kind::kDumpEnded : FlowChange::Kind::kDumpBroken);
}

void Replicator::flush() {
  if (lost_ && waiting_ == 0) {
    lost_ = false;
    callbacks_.look();
  }
  if (!changes_.empty() && !gathers()) pass_on();
}

/// Whether what is there waits for more.
bool Replicator::gathers() {
  if (changes_.size() >= kGathered || Clock::now() >= passed_on_at_ + gather_time_) return false;
  if (std::exchange(timer_runs_, true)) return true;
  timer_.expires_at(passed_on_at_ + gather_time_);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    timer_runs_ = false;
    if (!cancelled) flush();
  });
  return true;
}

void Replicator::pass_on() {
  if (changes_.empty()) return;
  passed_on_at_ = Clock::now();
  if (waiting_ + changes_.size() > kMaxChanges) {
    changes_.clear();
    lost_of_dump_ = true;
    if (!std::exchange(lost_, true)) hand_over({{FlowChange::Kind::kLost, {}}});
    return;
  }
  hand_over(std::exchange(changes_, {}));
}

void Replicator::hand_over(FlowChanges changes) {
  waiting_ += changes.size();
  callbacks_.on_changes(std::move(changes));
}

std::optional<Injector::Change> Replicator::change_of(const sync::Operation& operation) {
  Injector::Change change;
  change.flow = to_kernel(operation.flow);
  if (operation.kind == sync::Operation::Kind::kErase) {
    change.kind = Injector::Change::Kind::kErase;
    return change;
  }
  const auto place = place_of(operation.flow);
  const auto number = numbers_.find(place);
  if (!number) {
    callbacks_.on_unknown_backend(place);
    return {};
  }
  const bool closing = (operation.flow.flags & sync::kClosing) != 0;
  change.flow.mark = mark_.to_mark(*number) | (closing ? mark_.closing_bit() : 0);
  if (closing) change.kind = Injector::Change::Kind::kShorten;
  return change;
}

void Replicator::apply(const sync::Batch& batch) {
  std::vector<Injector::Change> changes;
  changes.reserve(batch.operations.size());
  std::vector<sync::Flow> unknown;
  for (const auto& operation : batch.operations) {
    if (const auto change = change_of(operation)) {
      changes.push_back(*change);
    } else {
      unknown.push_back(operation.flow);
    }
  }
  if (!unknown.empty()) unknown_.emplace(batch.number, std::move(unknown));
  if (!injector_.submit(batch.number, std::move(changes))) done({batch.number, false, {}});
}

void Replicator::done(const Injector::Done& finished) {
  OperationsDone result{finished.number, finished.known, {}};
  if (auto unknown = unknown_.extract(finished.number)) result.refused = std::move(unknown.mapped());
  result.unasked = result.refused.size();
  for (const auto& refused : finished.refused) result.refused.push_back(to_sync(refused.flow, false));
  callbacks_.on_done(std::move(result));
}

}  // namespace wsl4::flows
