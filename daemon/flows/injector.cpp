#include "daemon/flows/injector.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>

#include "daemon/util/log.h"

namespace wsl4::flows {

using netlink::Result;
using netlink::conntrack::Flow;
using Clock = std::chrono::steady_clock;

bool Injector::submit(std::uint64_t number, std::vector<Change> changes) {
  if (waiting_ + changes.size() > kMaxWaiting) return false;
  waiting_ += changes.size();
  batches_.push_back({std::move(changes), 0, {number, true, {}}});
  schedule();
  return true;
}

void Injector::schedule() {
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(io_, [this] {
    scheduled_ = false;
    work();
  });
}

void Injector::work() {
  const auto end = Clock::now() + slice_;
  do {
    if (batches_.empty()) return;
    work_on(batches_.front());
    if (batches_.front().next < batches_.front().changes.size()) continue;
    Done done = std::move(batches_.front().done);
    batches_.pop_front();
    on_done_(std::move(done));
  } while (Clock::now() < end);
  if (!batches_.empty()) schedule();
}

void Injector::work_on(Batch& batch) {
  auto piece = std::span(batch.changes).subspan(batch.next);
  piece = piece.first(std::min(piece.size(), kPiece));
  if (const auto applied = apply(piece, batch.done.refused); !applied) {
    log::warning("inject-failed", "batch={} error=\"{}\"", batch.done.number, applied.error().message());
    ++stats_.unknown;
    batch.done.known = false;
    piece = std::span(batch.changes).subspan(batch.next);  // the rest is not worth trying: all of it comes again
  }
  batch.next += piece.size();
  waiting_ -= piece.size();
}

Result<void> Injector::apply(std::span<const Change> changes, std::vector<Refused>& refused) {
  std::array<std::vector<Flow>, 3> lists;
  auto& [puts, erases, shortened] = lists;
  for (const Change& change : changes) {
    auto& list = lists.at(static_cast<std::size_t>(change.kind));
    list.push_back(change.flow);
    list.back().id = 0;  // whichever entry has these tuples
  }
  if (!erases.empty()) {
    const auto erased = conntrack_.erase(erases);
    if (!erased) return tl::make_unexpected(erased.error());
    stats_.erased += *erased;
    if (told_.erased) std::ranges::for_each(erases, told_.erased);
  }
  if (auto missing = shorten(shortened)) {
    puts.insert(puts.end(), missing->begin(), missing->end());
  } else {
    return tl::make_unexpected(missing.error());
  }
  return put(puts, refused);
}

/// Those that count for a limit one by one: between the announcement and the entry the kernel must not look at the client's flows.
Result<std::vector<int>> Injector::insert(std::span<const Flow> flows) {
  std::vector<int> outcomes;
  outcomes.reserve(flows.size());
  for (std::size_t end = 0; outcomes.size() < flows.size();) {
    const auto begin = end;
    while (end < flows.size() && !limits_.concern(flows[end])) ++end;
    if (end == begin) limits_.announce(flows[end++]);
    auto some = conntrack_.insert(flows.subspan(begin, end - begin));
    if (!some) return some;
    outcomes.insert(outcomes.end(), some->begin(), some->end());
  }
  return outcomes;
}

Result<void> Injector::put(std::span<const Flow> flows, std::vector<Refused>& refused) {
  if (flows.empty()) return {};
  const auto outcomes = insert(flows);
  if (!outcomes) return tl::make_unexpected(outcomes.error());
  std::vector<Flow> clashing;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const int error = outcomes->at(i);
    if (error == 0) inserted(flows[i]);
    const bool makes_room = error == EEXIST && !spares_;
    if (makes_room) clashing.push_back(flows[i]);
    if (error != 0 && !makes_room) refuse(refused, flows[i], error);
  }
  return clashing.empty() ? Result<void>{} : make_room(clashing, refused);
}

/// Either tuple may be the one that is taken, and by different entries.
Result<void> Injector::make_room(std::span<const Flow> flows, std::vector<Refused>& refused) {
  stats_.clashes += flows.size();
  if (const auto erased = conntrack_.erase_by_reply(flows); !erased) return tl::make_unexpected(erased.error());
  if (const auto erased = conntrack_.erase(flows); !erased) return tl::make_unexpected(erased.error());
  const auto outcomes = insert(flows);
  if (!outcomes) return tl::make_unexpected(outcomes.error());
  for (std::size_t i = 0; i < flows.size(); ++i)
    outcomes->at(i) == 0 ? inserted(flows[i]) : refuse(refused, flows[i], outcomes->at(i));
  return {};
}

void Injector::inserted(const Flow& flow) {
  ++stats_.inserted;
  if (told_.put) told_.put(flow);
}

/// Returns those without an entry.
Result<std::vector<Flow>> Injector::shorten(std::span<const Flow> flows) {
  std::vector<Flow> missing;
  if (flows.empty()) return missing;
  const auto outcomes = conntrack_.set_closed(flows, mark_.closing_bit());
  if (!outcomes) return tl::make_unexpected(outcomes.error());
  for (std::size_t i = 0; i < flows.size(); ++i) {
    if (outcomes->at(i) != 0) {
      missing.push_back(flows[i]);
    } else {
      ++stats_.shortened;
      if (told_.put) told_.put(flows[i]);
    }
  }
  return missing;
}

void Injector::refuse(std::vector<Refused>& refused, const Flow& flow, int error) {
  ++stats_.refused;
  refused.push_back({flow, error});
}

}  // namespace wsl4::flows
