#include "daemon/runtime/port_balancer.h"

#include <algorithm>
#include <utility>

#include "daemon/dataplane/plan_parts.h"

namespace wsl4::runtime {

namespace {

using dataplane::BlocksChange;
using std::chrono::steady_clock;

/// Pairs that are less full need no care (balance::port_mode).
constexpr double kLowest = 0.3;
/// From here on entries of closed flows are taken out, and below the other no longer.
constexpr double kTight = 0.85, kNoLongerTight = 0.8;
constexpr std::chrono::milliseconds kLook{100};
constexpr int kLookPart = 50;  // of the time, at most
constexpr std::chrono::seconds kSampleInterval{1};
/// Backends whose blocks begin to be counted, each by a walk over all flows, at one look.
constexpr std::size_t kMostAtOnce = 4;
constexpr std::size_t kSamples = 60, kFewestSamples = 5;

std::map<flows::BackendEndpoint, const flows::PortUse*> by_endpoint(const std::vector<flows::PortUse>& uses) {
  std::map<flows::BackendEndpoint, const flows::PortUse*> use_of;
  for (const auto& use : uses) use_of.emplace(use.backend, &use);
  return use_of;
}

std::uint64_t lowest(std::uint32_t ports) { return static_cast<std::uint64_t>(std::max(1.0, kLowest * ports)); }

}  // namespace

PortBalancer::PortBalancer(boost::asio::io_context& io, Dependencies dependencies)
    : dependencies_(std::move(dependencies)), timer_(io, balance::kShortestDeal, [this](TimePoint now) { work(now); }) {}

std::optional<PortBalancer::Place> PortBalancer::place_of(const service::DesiredState& state, service::BackendId id) const {
  const auto* name = dependencies_.service_of(id);
  const auto service = name ? state.services.find(*name) : state.services.end();
  if (service == state.services.end()) return std::nullopt;
  const auto backend = std::ranges::find(service->second.backends, id, &service::BackendState::id);
  const auto* pool = dataplane::pool_of(state, service->second);
  if (backend == service->second.backends.end() || pool == nullptr) return std::nullopt;
  return Place{service->second, *backend, *pool};
}

/// Every backend of the state whose endpoint is one of these, also one that bears no flow itself: the ports are the services'
/// together.
std::vector<std::pair<PortBalancer::Place, const flows::PortUse*>> PortBalancer::places_of(
    const std::vector<flows::PortUse>& uses) const {
  std::vector<std::pair<Place, const flows::PortUse*>> places;
  if (uses.empty()) return places;
  const auto use_of = by_endpoint(uses);
  const auto& state = dependencies_.applier.state();
  for (const auto& [name, service] : state.services) {
    const auto* pool = dataplane::pool_of(state, service);
    if (pool == nullptr) continue;
    for (const auto& backend : service.backends) {
      const Place place{service, backend, *pool};
      if (const auto use = use_of.find(place.endpoint()); use != use_of.end()) places.emplace_back(place, use->second);
    }
  }
  return places;
}

/// Of the pairs that new flows may get.
double PortBalancer::fullest(const Place& place, const flows::PortUse& use) {
  std::uint64_t most = 0;
  for (const auto& address : dataplane::live_sources(place.backend, place.pool))
    if (const auto held = use.held.find(address); held != use.held.end()) most = std::max(most, held->second);
  return static_cast<double>(most) / place.pool.ports();
}

std::vector<flows::PortUse> PortBalancer::uses(const service::StateChange::Pools& changed) const {
  auto fewest = dependencies_.applier.state().fewest_ports();
  for (const auto& [name, pool] : changed)
    if (pool) fewest = std::min(fewest, pool->ports());
  return dependencies_.counter.port_use(lowest(fewest));
}

PortBalancer::Dealt PortBalancer::deal(const Place& place, std::span<const balance::PortBlock> previous) {
  const auto endpoint = place.endpoint();
  dependencies_.counter.watch_blocks(endpoint);
  const auto live = dataplane::live_sources(place.backend, place.pool);
  std::vector<balance::AddressUse> pool;
  for (const auto& address : place.pool.addresses) {
    if (address.family() != place.backend.address.address.family()) continue;
    const bool excluded = std::ranges::find(live, address) == live.end();
    pool.push_back({address, dependencies_.counter.blocks(endpoint, address), excluded});
  }
  return {place.service.name, endpoint, balance::deal_blocks(pool, place.ports(), previous),
          dependencies_.counter.turnover(endpoint), steady_clock::now()};
}

std::set<std::string> PortBalancer::services_of(const service::StateChange::Pools& pools) const {
  std::set<std::string> services;
  if (pools.empty()) return services;
  for (const auto& [id, dealt] : dealt_)
    if (pools.contains(dependencies_.applier.state().services.at(dealt.service).pool)) services.insert(dealt.service);
  return services;
}

const service::PoolState* PortBalancer::pool_after(const service::StateChange& change, const std::string& name) const {
  if (const auto next = change.pools.find(name); next != change.pools.end()) return next->second ? &*next->second : nullptr;
  const auto& pools = dependencies_.applier.state().pools;
  const auto present = pools.find(name);
  return present == pools.end() ? nullptr : &present->second;
}

/// Whether a pair of the change may be so full that all have to be looked at.
bool PortBalancer::is_near_the_end(const service::StateChange& change) const {
  const auto dealt = endpoints();
  std::map<flows::BackendEndpoint, std::uint64_t> held;
  for (const auto& [name, service] : change.services) {
    const auto* pool = service ? pool_after(change, service->pool) : nullptr;
    if (pool == nullptr) continue;
    for (const auto& backend : service->backends) {
      const flows::BackendEndpoint endpoint{backend.address, service->protocol};
      auto& entries = held[endpoint];
      entries += dependencies_.counter.backend(backend.id).held;
      if (entries >= lowest(pool->ports()) || dealt.contains(endpoint)) return true;
    }
  }
  return false;
}

void PortBalancer::deal_all(service::StateChange& change) {
  planned_ = {};
  for (const auto& [id, dealt] : dealt_)
    if (change.services.contains(dealt.service)) planned_.gone.insert(id);
  const auto uses = is_near_the_end(change) ? this->uses(change.pools) : std::vector<flows::PortUse>{};
  const auto use_of = by_endpoint(uses);
  for (auto& [name, service] : change.services) {
    if (!service) continue;
    service->blocks.clear();
    const auto* pool = use_of.empty() ? nullptr : pool_after(change, service->pool);
    if (pool == nullptr) continue;
    for (const auto& backend : service->backends) {
      const Place place{*service, backend, *pool};
      const auto use = use_of.find(place.endpoint());
      if (use == use_of.end()) continue;
      if (balance::port_mode(mode_of(backend.id), fullest(place, *use->second), 0) == balance::PortMode::kRange) continue;
      const auto known = dealt_.find(backend.id);
      auto next = deal(place, known == dealt_.end() ? std::vector<balance::PortBlock>{} : known->second.deal.slots);
      service->blocks.emplace(backend.id, next.deal.slots);
      planned_.dealt.emplace(backend.id, std::move(next));
    }
  }
}

void PortBalancer::applied() {
  auto planned = std::exchange(planned_, {});
  std::map<service::BackendId, Dealt> before;
  for (const auto id : planned.gone) before.insert(dealt_.extract(id));
  bool more = false;
  for (auto& [id, dealt] : planned.dealt) {
    more = more || !before.contains(id);
    dealt_.insert_or_assign(id, std::move(dealt));
  }
  stop_watching(before);
  if (more) dependencies_.look();
  changed_ = true;
  timer_.wake(steady_clock::now());
}

void PortBalancer::dropped() { stop_watching(std::exchange(planned_, {}).dealt); }

std::set<flows::BackendEndpoint> PortBalancer::endpoints() const {
  std::set<flows::BackendEndpoint> endpoints;
  for (const auto& [id, dealt] : dealt_) endpoints.insert(dealt.endpoint);
  return endpoints;
}

/// But for what is dealt.
void PortBalancer::stop_watching(const std::map<service::BackendId, Dealt>& those) {
  const auto watched = endpoints();
  for (const auto& [id, dealt] : those)
    if (!watched.contains(dealt.endpoint)) dependencies_.counter.unwatch_blocks(dealt.endpoint);
}

void PortBalancer::counts_changed() {
  changed_ = true;
  timer_.wake(dealt_.empty() ? looked_at_ + kLook : steady_clock::now());
}

const PortBalancer::Dealt* PortBalancer::find(service::BackendId backend) const {
  if (const auto next = planned_.dealt.find(backend); next != planned_.dealt.end()) return &next->second;
  const auto present = dealt_.find(backend);
  return present == dealt_.end() || planned_.gone.contains(backend) ? nullptr : &present->second;
}

std::optional<std::uint64_t> PortBalancer::free_ports(service::BackendId backend) const {
  const auto* dealt = find(backend);
  if (dealt == nullptr) return std::nullopt;
  const auto age = age_of(*dealt, dealt->at);
  const auto free = dealt->deal.free + age.ended;
  return free - std::min(free, age.begun);
}

std::optional<std::chrono::seconds> PortBalancer::full_in(const std::string& service) const {
  const auto forecast = forecasts_.find(service);
  if (forecast == forecasts_.end() || forecast->second.samples.size() < kFewestSamples) return std::nullopt;
  const std::vector samples(forecast->second.samples.begin(), forecast->second.samples.end());
  return balance::time_until_full(samples, forecast->second.capacity);
}

balance::DealAge PortBalancer::age_of(const Dealt& dealt, TimePoint now) const {
  const auto turnover = dependencies_.counter.turnover(dealt.endpoint);
  return {std::chrono::duration_cast<std::chrono::milliseconds>(now - dealt.at), turnover.begun - dealt.turnover.begun,
          turnover.ended - dealt.turnover.ended};
}

PortBalancer::TimePoint PortBalancer::next_look() const {
  return looked_at_ + std::max<steady_clock::duration>(kLook, kLookPart * look_took_);
}

balance::PortMode PortBalancer::mode_of(service::BackendId backend) const {
  return dealt_.contains(backend) ? balance::PortMode::kBlocks : balance::PortMode::kRange;
}

void PortBalancer::work(TimePoint now) {
  if (!dependencies_.applier.in_sync()) return timer_.wake(now + kLook);  // whoever mends the kernel's table comes first
  const bool sample_due = !(dealt_.empty() && forecasts_.empty()) && now - sampled_at_ >= kSampleInterval;
  if ((changed_ && now >= next_look()) || sample_due) look_at_use(now);
  deal_what_is_due(now);
  beat(now);
  if (!dealt_.empty()) timer_.wake(beaten_at_ + kBeat);
  if (!forecasts_.empty()) timer_.wake(sampled_at_ + kSampleInterval);
  if (changed_) timer_.wake(next_look());
}

void PortBalancer::look_at_use(TimePoint now) {
  const auto seconds = std::chrono::duration<double>(now - std::exchange(looked_at_, now)).count();
  changed_ = false;
  const auto before = std::exchange(fullest_, {});
  flows::Reaper::Backends tight;
  std::set<std::string> services;
  std::size_t begun = 0;
  Planned modes;
  const auto uses = this->uses({});
  for (const auto& [place, use] : places_of(uses)) {
    const auto id = place.backend.id;
    const auto was = before.find(id);
    const auto part = fullest_[id] = fullest(place, *use);
    services.insert(place.service.name);
    if (part >= (tight_.contains(id) ? kNoLongerTight : kTight)) {
      tight.insert(id);
      tight.insert(use->numbers.begin(), use->numbers.end());
    }
    const auto growth = was == before.end() ? 0 : (part - was->second) / seconds;
    const auto mode = balance::port_mode(mode_of(id), part, growth);
    if (mode == mode_of(id)) continue;
    if (mode == balance::PortMode::kRange) {
      modes.gone.insert(id);
    } else {
      changed_ = ++begun > kMostAtOnce;
      if (!changed_) modes.dealt.emplace(id, deal(place, {}));
    }
  }
  for (const auto& [id, dealt] : dealt_)
    if (!fullest_.contains(id)) modes.gone.insert(id);
  if (tight != tight_) dependencies_.on_tight(tight_ = std::move(tight));
  sample(services, now);
  change(std::move(modes));
  look_took_ = steady_clock::now() - now;
}

/// What all services hold of the ports that these ones' flows may get.
void PortBalancer::sample(const std::set<std::string>& services, TimePoint now) {
  if (now - sampled_at_ < kSampleInterval) return;
  sampled_at_ = now;
  std::erase_if(forecasts_, [&](const auto& forecast) { return !services.contains(forecast.first); });
  if (services.empty()) return;
  const auto& state = dependencies_.applier.state();
  const auto uses = dependencies_.counter.port_use();
  const auto use_of = by_endpoint(uses);
  for (const auto& name : services) {
    const auto& service = state.services.at(name);
    const auto& pool = *dataplane::pool_of(state, service);
    const std::set<netlink::IpAddress> of_pool(pool.addresses.begin(), pool.addresses.end());
    auto& forecast = forecasts_[name];
    forecast.capacity = 0;
    std::uint64_t held = 0;
    for (const auto& backend : service.backends) {
      forecast.capacity += std::uint64_t{pool.ports()} * dataplane::count_of(pool, backend.address.address.family());
      const auto use = use_of.find({backend.address, service.protocol});
      if (use == use_of.end()) continue;
      for (const auto& [address, entries] : use->second->held)
        if (of_pool.contains(address)) held += entries;
    }
    forecast.samples.push_back({now, held});
    if (forecast.samples.size() > kSamples) forecast.samples.pop_front();
  }
}

void PortBalancer::deal_what_is_due(TimePoint now) {
  std::vector<BlocksChange> changes;
  std::vector<service::BackendId> looked_at;
  const auto& state = dependencies_.applier.state();
  for (auto& [id, dealt] : dealt_) {
    if (!balance::deal_is_due(dealt.deal, age_of(dealt, now))) continue;
    const auto place = place_of(state, id);
    if (!place) continue;
    auto next = deal(*place, dealt.deal.slots);
    if (next.deal.slots != dealt.deal.slots) changes.push_back({dealt.service, id, next.deal.slots});
    dealt = std::move(next);
    looked_at.push_back(id);
  }
  if (!looked_at.empty()) dependencies_.on_room(looked_at);  // the flows that took or gave room may all be another service's
  if (!changes.empty()) {
    if (const auto applied = dependencies_.applier.apply_blocks(changes); !applied) dependencies_.on_failure(applied.error());
  }
}

/// Backends whose ports are dealt in blocks from now on, or no longer.
void PortBalancer::change(Planned planned) {
  std::vector<BlocksChange> changes;
  std::vector<service::BackendId> room;
  for (const auto id : planned.gone) {
    changes.push_back({dealt_.at(id).service, id, std::nullopt});
    room.push_back(id);
  }
  for (const auto& [id, dealt] : planned.dealt) {
    changes.push_back({dealt.service, id, dealt.deal.slots});
    room.push_back(id);
  }
  if (changes.empty()) return;
  planned_ = std::move(planned);
  if (const auto applied = dependencies_.applier.apply_blocks(changes); !applied) {
    dropped();
    return dependencies_.on_failure(applied.error());
  }
  applied();
  dependencies_.on_room(room);
}

void PortBalancer::beat(TimePoint now) {
  if (dealt_.empty() || now - beaten_at_ < kBeat) return;
  beaten_at_ = now;
  if (const auto told = dependencies_.applier.go_on_dealing(); !told) dependencies_.on_failure(told.error());
}

}  // namespace wsl4::runtime
