#include "daemon/runtime/evictions.h"

#include <algorithm>
#include <numeric>

#include <boost/asio/post.hpp>

#include "daemon/balance/service_dealer.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace {

/// Evictions come in small groups, so that clients do not come back in waves.
constexpr std::chrono::milliseconds kTick{20};
/// Flows that are ended in one go, some 10 ms of work. Of a pace that needs more, the next go follows when others have had their
/// turn.
constexpr std::uint64_t kPiece = 200;

}  // namespace

std::vector<Evictions::Member> Evictions::members_of(const service::ServiceState& service) {
  std::vector<Member> members;
  for (const auto& backend : service.backends)
    members.push_back({backend.id, backend.address.address.family(), backend.share_weight, backend.max_connections});
  return members;
}

void Evictions::set_drains(const Rates& rates) {
  std::erase_if(drains_, [&](const auto& drain) {
    const auto rate = rates.find(drain.first);
    const bool goes_on = rate != rates.end() && rate->second == drain.second.per_second();
    if (!goes_on) evictor_.forget(drain.first);
    return !goes_on;
  });
  for (const auto& [backend, rate] : rates) drains_.try_emplace(backend, rate, Clock::now());
  wake(kTick);
}

void Evictions::end_all(service::BackendId backend, flows::FlowEnder::Tell tell) {
  evictor_.end_all(backend, tell);
  if (!std::exchange(stepping_, true)) step();
}

std::uint64_t Evictions::rebalance(const service::ServiceState& service, double per_second) {
  Rebalance rebalance{balance::Pace(per_second, Clock::now()), members_of(service), {}};
  const auto surplus = surplus_of(rebalance.members);
  for (std::size_t i = 0; i < surplus.size(); ++i) rebalance.left[rebalance.members[i].id] = surplus[i];
  const auto all = std::accumulate(surplus.begin(), surplus.end(), std::uint64_t{0});
  if (const auto before = rebalances_.extract(service.name)) forget(before.mapped());
  if (per_second > 0 && all > 0) rebalances_.emplace(service.name, std::move(rebalance));
  wake(kTick);
  return all;
}

void Evictions::set_services(const std::map<std::string, service::ServiceState>& services) {
  for (auto item = rebalances_.begin(); item != rebalances_.end();) {
    const auto service = services.find(item->first);
    if (service == services.end()) {
      item = end(item, "the service has gone");
      continue;
    }
    auto next = members_of(service->second);
    if (next != item->second.members) forget(item->second);
    item->second.members = std::move(next);
    ++item;
  }
}

void Evictions::end_rebalances() {
  for (auto item = rebalances_.begin(); item != rebalances_.end();)
    item = end(item, "this node does not serve any more; given again on the active one it goes on");
}

Evictions::Rebalances::iterator Evictions::end(Rebalances::iterator rebalance, const char* why) {
  forget(rebalance->second);
  on_end_(rebalance->first, why);
  return rebalances_.erase(rebalance);
}

/// An open walk over the table holds one of its entries.
void Evictions::forget(const Rebalance& rebalance) {
  for (const auto& member : rebalance.members)
    if (!drains_.contains(member.id)) evictor_.forget(member.id);
}

std::vector<std::uint64_t> Evictions::surplus_of(const std::vector<Member>& members) const {
  std::vector<std::uint64_t> all(members.size());
  for (const auto family : {netlink::Family::kIpv4, netlink::Family::kIpv6}) {
    std::vector<std::size_t> places;
    std::vector<balance::Load> loads;
    for (std::size_t place = 0; place < all.size(); ++place) {
      const auto& member = members[place];
      if (member.family != family) continue;
      places.push_back(place);
      const auto connections = connections_(member.id);
      loads.push_back({connections, member.weight, balance::room_of(member.max_connections, {connections, 0, {}}), 1.0});
    }
    const auto surplus = balance::surplus(loads);
    for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = surplus[i];
  }
  return all;
}

void Evictions::wake(std::chrono::milliseconds pause) {
  if (waiting_ || (drains_.empty() && rebalances_.empty())) return;
  waiting_ = true;
  timer_.expires_after(pause);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    waiting_ = false;
    if (!cancelled) tick();
  });
}

void Evictions::tick() {
  const auto now = Clock::now();
  const auto piece = std::max<std::uint64_t>(1, kPiece / std::max<std::uint64_t>(1, drains_.size() + rebalances_.size()));
  bool behind = false;
  for (auto& [backend, pace] : drains_) behind |= evict(backend, pace.take(now, std::min(piece, connections_(backend)))) == piece;
  for (auto item = rebalances_.begin(); item != rebalances_.end();) {
    auto& rebalance = item->second;
    auto surplus = surplus_of(rebalance.members);
    for (std::size_t i = 0; i < surplus.size(); ++i) surplus[i] = std::min(surplus[i], rebalance.left[rebalance.members[i].id]);
    const auto wanted = std::accumulate(surplus.begin(), surplus.end(), std::uint64_t{0});
    const auto due = rebalance.pace.take(now, std::min(piece, wanted));
    const auto parts = balance::divide(due, surplus);
    std::size_t ended = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      ended += evict(rebalance.members[i].id, parts[i]);
      rebalance.left[rebalance.members[i].id] -= parts[i];
    }
    behind |= ended == piece;
    item = wanted == due ? end(item, "done") : std::next(item);
  }
  wake(behind ? std::chrono::milliseconds(0) : kTick);
}

std::size_t Evictions::evict(service::BackendId backend, std::uint64_t number) {
  if (number == 0) return 0;
  const auto ended = evictor_.evict(backend, number);
  if (!ended) log::warning("eviction-failed", "backend={} error=\"{}\"", backend, ended.error().message());
  return ended.value_or(0);
}

void Evictions::step() {
  const auto ended = evictor_.step();
  if (!ended) log::warning("flows-not-ended", "error=\"{}\"", ended.error().message());
  stepping_ = evictor_.busy();
  if (stepping_) boost::asio::post(io_, [this] { step(); });
}

}  // namespace wsl4::runtime
