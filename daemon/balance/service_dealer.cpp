#include "daemon/balance/service_dealer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace wsl4::balance {
namespace {

using netlink::Family;
using service::BackendState;

/// A backend that was full takes flows again when it has so much room: a hundredth of its limit.
constexpr std::uint64_t kRoomAgain = 100;

std::optional<std::uint64_t> lesser(std::optional<std::uint64_t> one, std::optional<std::uint64_t> other) {
  if (!one || !other) return one ? one : other;
  return std::min(*one, *other);
}

std::chrono::milliseconds age_of(const BackendState& backend, service::WallTime wall) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wall - backend.serving_since);
}

/// In ten steps, so that the kernel's maps change, and clients of source-hash move, ten times only.
int starting_weight(int weight, std::chrono::milliseconds age, std::chrono::milliseconds slow_start) {
  const auto step = slow_start / 10;
  const auto part = slow_start_cap(1.0, age / step * step, slow_start);
  return std::max(1, static_cast<int>(std::lround(weight * part)));
}

bool is_of(Family family, const BackendState& backend) { return backend.address.address.family() == family; }

}  // namespace

std::optional<std::uint64_t> room_of(std::uint64_t max_connections, const LiveCount& count) {
  if (max_connections == 0) return count.free_ports;
  return lesser(max_connections - std::min(max_connections, count.connections), count.free_ports);
}

std::uint64_t ServiceDealer::started_of(Family family, const LiveCounts& counts) const {
  std::uint64_t started = 0;
  for (const auto& backend : wanted_.backends)
    if (is_of(family, backend)) started += counts(backend.id).started;
  return started;
}

void ServiceDealer::want(service::ServiceState wanted, const LiveCounts& counts, TimePoint now) {
  wanted_ = std::move(wanted);
  std::map<Family, Deal> deals;
  for (const auto& backend : wanted_.backends) {
    const auto family = backend.address.address.family();
    if (auto known = deals_.extract(family)) deals.insert(std::move(known));
    deals.try_emplace(family);
  }
  deals_ = std::move(deals);
  for (auto& [family, deal] : deals_) {
    // A backend that came or went changes the sum without an arrival.
    deal.started = started_of(family, counts);
    deal.clock.changed();
  }
  observe(counts, now);
}

void ServiceDealer::observe(const LiveCounts& counts, TimePoint now) {
  for (auto& [family, deal] : deals_) {
    const auto started = started_of(family, counts);
    deal.clock.arrived(started - std::exchange(deal.started, started), now);
    deal.clock.changed();
    if (is_urgent(family, deal, counts)) deal.clock.urgent();
  }
}

bool ServiceDealer::is_urgent(Family family, const Deal& deal, const LiveCounts& counts) const {
  return std::ranges::any_of(wanted_.backends, [&](const BackendState& backend) {
    if (!is_of(family, backend) || full_.contains(backend.id)) return false;
    const bool takes = backend.share_weight > 0 && room_of(backend.max_connections, counts(backend.id)) != 0U;
    return takes ? deal.refuses : deal.dealt.contains(backend.id);
  });
}

void ServiceDealer::expect(std::uint64_t flows, TimePoint now) {
  for (auto& [family, deal] : deals_) deal.clock.expect(flows, now);
}

std::optional<ServiceDealer::TimePoint> ServiceDealer::due() const {
  std::optional<TimePoint> first;
  for (const auto& [family, deal] : deals_) {
    const auto due = deal.clock.due(deal.free);
    if (due && (!first || *due < *first)) first = due;
  }
  return first;
}

service::ServiceState ServiceDealer::deal(const LiveCounts& counts, TimePoint now, WallTime wall) {
  auto dealt = wanted_;
  for (auto& [family, deal] : deals_) {
    if (wanted_.scheduler == config::Scheduler::kLeastConnections) {
      deal_by_counts(dealt, family, deal, counts, now, wall);
    } else {
      deal_by_weights(dealt, family, deal, counts, now, wall);
    }
    if (deal.full) dealt.full.insert(family);
  }
  return dealt;
}

void ServiceDealer::deal_again() {
  for (auto& [family, deal] : deals_) deal.clock.changed();
}

void ServiceDealer::deal_by_counts(service::ServiceState& service, Family family, Deal& deal, const LiveCounts& counts,
                                   TimePoint now, WallTime wall) {
  std::vector<std::uint32_t> places;  // of this family in `backends`
  std::vector<Load> loads;
  int weights = 0;
  bool starting = false;
  deal.free.reset();
  for (std::uint32_t place = 0; place < service.backends.size(); ++place) {
    const auto& backend = service.backends[place];
    if (!is_of(family, backend)) continue;
    const auto count = counts(backend.id);
    const auto room = room_of(backend.max_connections, count);
    places.push_back(place);
    loads.push_back({count.connections, backend.share_weight, room, 1.0});
    weights += backend.share_weight;
    if (backend.share_weight > 0 && room && *room > 0) deal.free = lesser(deal.free, room);
  }
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (loads[i].weight == 0) continue;
    const auto age = age_of(service.backends[places[i]], wall);
    loads[i].share_cap = slow_start_cap(static_cast<double>(loads[i].weight) / weights, age, service.slow_start);
    starting = starting || age < service.slow_start;
  }
  deal.dealt.clear();
  const auto number = counted_slots(places.size(), service.slow_start.count() > 0);
  auto slots = deal_by_share(shares(loads, deal.clock.deal(now, deal.free)), number);
  if (starting) deal.clock.changed();
  deal.refuses = std::ranges::find(slots, kNoBackend) != slots.end();
  if (deal.refuses) deal.full = weights > 0;
  for (auto& slot : slots) {
    if (slot == kNoBackend) continue;
    slot = places[slot];
    deal.dealt.insert(service.backends[slot].id);
  }
  service.dealt.insert_or_assign(family, std::move(slots));
}

void ServiceDealer::deal_by_weights(service::ServiceState& service, Family family, Deal& deal, const LiveCounts& counts,
                                    TimePoint now, WallTime wall) {
  bool wanted = false, starting = false;
  deal.free.reset();
  deal.dealt.clear();
  for (auto& backend : service.backends) {
    if (!is_of(family, backend) || backend.share_weight == 0) continue;
    wanted = true;
    const auto room = room_of(backend.max_connections, counts(backend.id));
    const auto enough = full_.contains(backend.id) ? backend.max_connections / kRoomAgain + 1 : 1;
    if (room && *room < enough) {
      full_.insert(backend.id);
      backend.share_weight = 0;
      continue;
    }
    full_.erase(backend.id);
    deal.dealt.insert(backend.id);
    deal.free = lesser(deal.free, room);
    const auto age = age_of(backend, wall);
    if (age >= service.slow_start) continue;
    starting = true;
    backend.share_weight = starting_weight(backend.share_weight, age, service.slow_start);
  }
  deal.refuses = deal.dealt.empty();
  if (deal.refuses) deal.full = wanted;
  std::ignore = deal.clock.deal(now, deal.free);
  if (starting) deal.clock.changed();
}

}  // namespace wsl4::balance
