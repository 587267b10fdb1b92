#include "daemon/runtime/health_watch.h"

#include <algorithm>
#include <memory>

namespace wsl4::runtime {

namespace {

using config::OnBackendDown;

}  // namespace

HealthWatch::HealthWatch(boost::asio::io_context& io, Hooks hooks)
    : hooks_(std::move(hooks)), scheduler_(io, {[this](const health::Status& status) { changed(status); }, hooks_.usable}) {}

health::Sources HealthWatch::sources_of(const config::Service& service, const std::vector<config::Pool>& pools,
                                        netlink::Family family) {
  if (service.mode != config::Mode::kSnat || !from_pool_) return nullptr;
  auto& list = sources_[{service.pool, family}];
  if (list) return list;
  auto addresses = std::make_shared<std::vector<netlink::IpAddress>>();
  if (const auto pool = std::ranges::find(pools, service.pool, &config::Pool::name); pool != pools.end()) {
    std::ranges::copy_if(pool->addresses, std::back_inserter(*addresses),
                         [family](const auto& one) { return one.family() == family; });
  }
  list = std::move(addresses);
  return list;
}

void HealthWatch::watch(const config::Service& service, const std::vector<config::Pool>& pools, const service::Marks& marks) {
  if (service.health.type == config::HealthType::kNone) return forget(service.name);
  policies_[service.name] = {service.on_backend_down, service.health};
  std::vector<health::Target> targets;
  for (const auto& backend : service.backends) {
    const auto mark = marks.find({service.name, backend.address});
    if (mark != marks.end() && mark->second.standing == service::Mark::Standing::kDisabled) continue;
    targets.push_back(
        {service.name, backend.address, service.health, sources_of(service, pools, backend.address.address.family())});
  }
  scheduler_.set_targets(service.name, std::move(targets));
}

void HealthWatch::forget(const std::string& service) {
  policies_.erase(service);
  scheduler_.set_targets(service, {});
}

service::Verdicts HealthWatch::verdicts(const std::string& service) const {
  service::Verdicts verdicts;
  for (const auto& status : with_peers(scheduler_.snapshot(service)))
    verdicts[{status.service, status.backend}] = {status.state() == health::State::kDown, status.dead_sources()};
  return verdicts;
}

bool HealthWatch::is_healthy() const {
  std::map<std::string, bool> serving;
  for (const auto& status : scheduler_.snapshot()) serving[status.service] |= status.standing.state != health::State::kDown;
  return std::ranges::all_of(serving, [](const auto& item) { return item.second; });
}

health::PeerVerdicts HealthWatch::findings() const {
  health::PeerVerdicts findings{{}, true};
  for (auto& status : scheduler_.snapshot()) {
    const bool down = status.standing.state == health::State::kDown;
    findings.settled &= status.standing.state != health::State::kChecking;
    if (!down && status.excluded.empty()) continue;
    findings.named[{std::move(status.service), status.backend}] = {down, down ? std::move(status.standing.detail) : "",
                                                                   std::move(status.excluded)};
  }
  return findings;
}

std::set<std::string> HealthWatch::follow(std::optional<health::PeerVerdicts> peers) {
  std::set<std::string> touched;
  for (const auto* verdicts : {&peers_, &peers}) {
    if (!*verdicts) continue;
    for (const auto& [key, verdict] : (*verdicts)->named) touched.insert(key.first);
  }
  // The others count as up, or as this node found them.
  for (const auto& status : scheduler_.snapshot())
    if (status.standing.state == health::State::kDown || !status.excluded.empty()) touched.insert(status.service);
  peers_ = std::move(peers);
  return touched;
}

void HealthWatch::take_over() {
  scheduler_.take_over(snapshot());
  peers_.reset();
}

std::vector<health::Status> HealthWatch::with_peers(std::vector<health::Status> statuses) const {
  if (!peers_) return statuses;
  for (auto first = statuses.begin(); first != statuses.end();) {
    const auto last = std::find_if(first, statuses.end(), [&](const auto& status) { return status.service != first->service; });
    std::for_each(first, last, [this](auto& status) { status.peers = peers_->find(status.service, status.backend); });
    if (std::all_of(first, last, [](const auto& status) { return status.peers && status.peers->down; }))
      std::for_each(first, last, [](auto& status) { status.peers.reset(); });
    first = last;
  }
  return statuses;
}

void HealthWatch::changed(const health::Status& status) {
  const Key key{status.service, status.backend};
  if (status.standing.state == health::State::kDown) {
    down_.insert(key);
  } else {
    down_.erase(key);
    spared_.erase(key);
  }
  if (!spared_.empty()) note_recovery(status.service);
  hooks_.on_change(status);
}

void HealthWatch::note_recovery(const std::string& service) {
  const auto all = scheduler_.snapshot(service);
  const bool any = std::ranges::any_of(all, [](const auto& status) { return status.standing.state == health::State::kUp; });
  for (auto& [key, recovered] : spared_) {
    if (key.first != service) continue;
    if (!any) recovered.reset();
    if (any && !recovered) recovered = std::chrono::steady_clock::now();
  }
}

bool HealthWatch::has_open_cases() const {
  return !down_.empty() || std::ranges::any_of(spared_, [](const auto& item) { return item.second.has_value(); });
}

HealthWatch::Found HealthWatch::find(const std::string& service) const {
  Found found{service, {}, {}};
  for (auto& status : scheduler_.snapshot(service)) {
    found.places.emplace(status.backend, found.standings.size());
    found.standings.push_back(std::move(status.standing));
  }
  return found;
}

const health::Standing* HealthWatch::Found::standing_of(const netlink::Endpoint& backend) const {
  const auto place = places.find(backend);
  return place == places.end() ? nullptr : &standings[place->second];
}

/// Whose fault it is shows with their next checks, and clients wait for that.
void HealthWatch::look_at_others(const Found& found) {
  for (const auto& [backend, place] : found.places)
    if (found.standings[place].ok != false) scheduler_.check_now(found.service, backend);
}

void HealthWatch::take_stayed_down(std::vector<Ending>& endings) {
  Found found;
  std::erase_if(spared_, [&](const auto& item) {
    const auto& [key, recovered] = item;
    if (found.service != key.first) found = find(key.first);
    const auto policy = policies_.find(key.first);
    const auto* standing = found.standing_of(key.second);
    if (policy == policies_.end() || standing == nullptr) return true;
    if (!recovered || !health::has_stayed_down(*standing, *recovered, health::one_interval(policy->second.health))) return false;
    endings.push_back({key.first, key.second, standing->failure != health::Failure::kConnect});
    return true;
  });
}

void HealthWatch::give_back(const Ending& ending) {
  const auto found = find(ending.service);
  const auto* standing = found.standing_of(ending.backend);
  if (standing != nullptr && standing->state == health::State::kDown) down_.insert({ending.service, ending.backend});
}

std::vector<Ending> HealthWatch::take_endings() {
  std::vector<Ending> endings;
  std::set<std::string> told;
  const auto now = std::chrono::steady_clock::now();
  Found found;  // of one service after the other
  std::erase_if(down_, [&](const Key& key) {
    if (found.service != key.first) found = find(key.first);
    const auto policy = policies_.find(key.first);
    if (policy == policies_.end() || policy->second.action == OnBackendDown::kKeep) return true;
    const auto* standing = found.standing_of(key.second);
    const bool connects = standing == nullptr || standing->failure != health::Failure::kConnect;
    // One that answers wrongly may come to refuse connections: then its state changes once more.
    if (connects && policy->second.action == OnBackendDown::kAuto) return true;
    const auto fault = standing == nullptr ? health::Fault::kBackend  // not checked any more
                                           : health::fault_of(found.standings, found.places.at(key.second),
                                                              health::one_interval(policy->second.health), now);
    if (fault == health::Fault::kOpen) {
      look_at_others(found);
      return false;
    }
    if (fault == health::Fault::kBackend) {
      endings.push_back({key.first, key.second, connects});
    } else {
      spared_.try_emplace(key);
      if (told.insert(key.first).second) hooks_.on_all_down(key.first);
    }
    return true;
  });
  take_stayed_down(endings);
  return endings;
}

}  // namespace wsl4::runtime
