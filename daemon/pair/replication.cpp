#include "daemon/pair/replication.h"

#include <boost/asio/post.hpp>

#include "daemon/util/log.h"

namespace wsl4::pair {

namespace {

using flows::FlowChange;

constexpr std::size_t kOperationsAtOnce = 4096;
/// Of a comparison, per piece of work.
constexpr std::size_t kBucketsAtOnce = 64;

bool same_path(const sync::Flow& one, const sync::Flow& other) { return one.backend == other.backend && one.snat == other.snat; }

}  // namespace

Replication::Replication(boost::asio::io_context& io, sync::Options options, Callbacks callbacks)
    : io_(io),
      callbacks_(std::move(callbacks)),
      heartbeat_interval_(options.heartbeat_interval),
      session_(std::move(options)),
      timer_(io) {}

sync::Time Replication::now() {
  return std::chrono::duration_cast<sync::Time>(std::chrono::steady_clock::now().time_since_epoch());
}

void Replication::set_role(sync::Role role) {
  active_ = role == sync::Role::kActive;
  comparison_.abandon();
  session_.set_role(role);
  pump();
}

void Replication::start() { beat(); }

void Replication::beat() {
  session_.tick(now());
  callbacks_.on_heartbeat();
  pump();
  timer_.expires_after(heartbeat_interval_);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) beat();
  });
}

/// Callbacks may call it again: then it goes once more round.
void Replication::pump() {
  again_ = true;
  if (std::exchange(pumping_, true)) return;
  while (std::exchange(again_, false)) {
    while (operations_ + kOperationsAtOnce <= flows::Injector::kMaxWaiting) {
      auto batch = session_.take_operations(kOperationsAtOnce);
      if (batch.operations.empty()) break;
      UnderWay under_way{batch.number, {}};
      for (const auto& operation : batch.operations) {
        under_way.flows.push_back(operation.flow);
        comparison_.touch(operation.flow);
      }
      operations_ += under_way.flows.size();
      under_way_.push_back(std::move(under_way));
      callbacks_.apply(std::move(batch));
    }
    for (const auto& event : session_.take_events()) callbacks_.on_event(event);
    callbacks_.on_progress();
  }
  pumping_ = false;
  callbacks_.wake();
}

void Replication::done(const flows::OperationsDone& done) {
  while (!under_way_.empty() && under_way_.front().number <= done.number) {
    operations_ -= under_way_.front().flows.size();
    under_way_.pop_front();
  }
  if (done.known) {
    session_.operations_done(done.number, done.refused, done.unasked);
  } else {
    session_.operations_unknown();
  }
  pump();
}

// ---- the kernel ------------------------------------------------------------------------------------------------

void Replication::take(const flows::FlowChanges& changes) {
  for (const auto& change : changes) handle(change);
  pump();
}

void Replication::handle(const FlowChange& change) {
  switch (change.kind) {
    case FlowChange::Kind::kSeen:
      comparison_.see(change.flow);
      if (!session_.learn(change.flow, now())) log::debug("flow-not-copied", "detail=\"no flow of ours\"");
      break;
    case FlowChange::Kind::kEnded:
      session_.forget(change.flow, now());
      break;
    case FlowChange::Kind::kDumpBegan:
      begin_comparison();
      break;
    case FlowChange::Kind::kDumped:
      compare(change.flow);
      break;
    case FlowChange::Kind::kDumpEnded:
      end_comparison();
      break;
    case FlowChange::Kind::kDumpBroken:
    case FlowChange::Kind::kLost:
      comparison_.abandon();
      break;
  }
}

bool Replication::follows() const {
  const auto status = session_.status(now());
  return status.state != sync::State::kDisconnected && status.peer.role == sync::Role::kActive && !active_;
}

void Replication::begin_comparison() {
  std::vector<sync::Flow> under_way;
  for (const auto& batch : under_way_) under_way.insert(under_way.end(), batch.flows.begin(), batch.flows.end());
  followed_ = follows();
  suspects_.clear();
  drift_ = 0;
  searching_ = false;
  comparison_.begin(under_way);
}

/// On a node that does not follow the kernel is right.
void Replication::compare(const sync::Flow& flow) {
  if (!follows()) session_.learn(flow, now());
  if (!comparison_.running()) return;
  comparison_.see(flow);
  if (!followed_) return;
  const auto held = session_.find(flow);
  if (!held || !same_path(*held, flow)) suspects_.push_back(flow);
}

/// What waits for its turn has not been touched, so nothing can be said while anything does.
void Replication::end_comparison() {
  if (!comparison_.running()) return;
  if (followed_ != follows() || (followed_ && session_.status(now()).unapplied > operations_)) return comparison_.abandon();
  settle_suspects();
  searching_ = true;
  find_missing();
}

void Replication::settle_suspects() {
  for (const auto& flow : suspects_) {
    if (comparison_.is_touched(flow)) continue;
    session_.repair(flow);
    ++drift_;
  }
  suspects_.clear();
}

void Replication::find_missing() {
  if (!comparison_.running() || followed_ != follows()) return comparison_.abandon();
  for (const auto& flow : comparison_.missing(session_.flows(), kBucketsAtOnce)) {
    if (followed_) {
      session_.repair(flow);
      ++drift_;
    } else {
      session_.forget(flow, now());
    }
  }
  if (comparison_.running()) {
    boost::asio::post(io_, [this] {
      if (searching_) find_missing();
    });
  } else if (drift_ > 0) {
    callbacks_.on_drift(drift_);
  }
  pump();
}

// ---- the link --------------------------------------------------------------------------------------------------

void Replication::on_connected() {
  session_.connected(now());
  pump();
}

void Replication::on_bytes(std::span<const std::uint8_t> bytes) {
  session_.receive(bytes, now());
  pump();
}

void Replication::next_bytes(std::vector<std::uint8_t>& out, std::size_t budget) { session_.pull(out, budget, now()); }

void Replication::on_disconnected(const std::string& reason) {
  session_.disconnected();
  log::debug("link-ended", "reason=\"{}\"", reason);
  pump();
}

}  // namespace wsl4::pair
