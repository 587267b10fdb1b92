#include "tests/sim/sync/node.h"

#include <vector>

namespace wsl4::pair_sim {

void Node::start(std::uint64_t incarnation) {
  sync::Options options;
  options.node = name_;
  options.incarnation = incarnation;
  options.window = 40;
  options.silence = std::chrono::milliseconds{2'000};
  session_ = std::make_unique<sync::Session>(options);
  role_ = sync::Role::kInit;
  under_way_.clear();
  damaged_ = events_lost_ = false;
  for (const auto& [tuple, flow] : kernel_.flows()) session_->learn(flow, {});
}

void Node::begin_flow(const sync::Flow& flow, sync::Time now) {
  kernel_.put(flow);
  if (!events_lost_) session_->learn(flow, now);
  const auto told = session_->find(flow);
  if (!told || !equal(*told, flow)) damaged_ = true;  // of two actives one has changed a flow of the other
}

void Node::end_flow(const sync::Flow& flow, sync::Time now) {
  const auto ended = flow;  // the argument may be the entry itself
  kernel_.erase(ended);
  if (!events_lost_) session_->forget(ended, now);
}

void Node::damage(const sync::Flow& flow, bool add) {
  damaged_ = true;
  if (add) {
    kernel_.put(flow);
  } else {
    kernel_.erase(sync::Flow(flow));
  }
}

void Node::compare(sync::Time now) {
  if (session_->status(now).unapplied > 0 || !under_way_.empty()) return;
  std::vector<sync::Flow> missing, copies_missing;
  const auto& store = session_->flows();
  const auto collect = [&](const sync::FlowTable& table, std::vector<sync::Flow>& out) {
    for (std::size_t bucket = 0; bucket < sync::kBuckets; ++bucket) {
      table.for_each_in(bucket, [&](const sync::Record& record) {
        const auto flow = expand(store.dictionary(), record);
        const auto* entry = kernel_.find(flow);
        if (entry == nullptr || !equal(*entry, flow)) out.push_back(flow);
      });
    }
  };
  collect(store.own(), missing);
  collect(store.copies(), copies_missing);
  for (const auto& flow : missing) {
    if (kernel_.find(flow) == nullptr) session_->forget(flow, now);
  }
  for (const auto& flow : copies_missing) session_->repair(flow);
  for (const auto& [tuple, flow] : kernel_.flows()) {
    if (role_ == sync::Role::kActive) {
      session_->learn(flow, now);
    } else if (!session_->find(flow)) {
      session_->repair(flow);
    }
  }
  damaged_ = events_lost_ || session_->status(now).unapplied > 0;
}

void Node::inject(const Injector& injector, Random& random, std::int64_t now_ms) {
  auto batch = session_->take_operations(injector.batch);
  if (!batch.operations.empty()) under_way_.push_back({std::move(batch), now_ms + injector.delay_ms});
  while (!under_way_.empty() && under_way_.front().due_ms <= now_ms) {
    const auto due = std::move(under_way_.front());
    under_way_.pop_front();
    apply(due, injector, random);
  }
}

void Node::apply(const UnderWay& under_way, const Injector& injector, Random& random) {
  const bool unknown = injector.unknown_one_in > 0 && one_in(random, injector.unknown_one_in);
  std::vector<sync::Flow> refused;
  for (const auto& [kind, flow] : under_way.batch.operations) {
    if (unknown && one_in(random, 2)) continue;
    const auto now = session_->find(flow);
    if (kind == sync::Operation::Kind::kErase ? now.has_value() : !now || !equal(*now, flow)) continue;  // outdated
    if (injector.refuses_one_in > 0 && one_in(random, injector.refuses_one_in)) {
      refused.push_back(flow);
    } else if (kind == sync::Operation::Kind::kErase) {
      kernel_.erase(flow);
    } else if (const auto evicted = kernel_.put(flow)) {
      const auto wanted = session_->find(*evicted);
      if (wanted && reply(*wanted) == reply(*evicted)) damaged_ = true;
    }
  }
  if (unknown) {
    under_way_.clear();
    session_->operations_unknown();
  } else {
    session_->operations_done(under_way.batch.number, refused);
  }
}

}  // namespace wsl4::pair_sim
