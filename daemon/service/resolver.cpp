#include "daemon/service/resolver.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace wsl4::service {

namespace {

constexpr std::uint64_t kResyncsKept = 2;

ServiceState to_state(const config::Service& service) {
  ServiceState state;
  state.name = service.name;
  state.protocol = service.protocol;
  state.listen = service.listen;
  state.scheduler = service.scheduler;
  state.mode = service.mode;
  state.pool = service.pool;
  state.idle_timeout = service.idle_timeout;
  state.slow_start = service.slow_start;
  state.client_connections = static_cast<std::uint32_t>(service.client_limit_connections);
  state.client_rate = static_cast<std::uint32_t>(service.client_limit_rate);
  return state;
}

}  // namespace

std::string gone_service(netlink::Protocol protocol) { return "gone/" + std::string(netlink::to_string(protocol)); }

void Resolver::adopt(const std::vector<KnownBackend>& backends, const std::vector<BackendId>& live) {
  for (const auto& [service, backend] : backends) {
    if (backend.id == 0 || backend.id > mark_.max_id() || used_.contains(backend.id)) continue;
    if (known_[service].try_emplace(backend.address, Known{backend, false}).second) {
      used_.insert(backend.id);
    } else {
      orphans_.emplace(backend.id, 0);  // a second number of the same backend: nobody else gets it as long as flows bear it
    }
    leaving_.insert(service);
    last_id_ = std::max(last_id_, backend.id);
  }
  for (const auto id : live) {
    if (!used_.contains(id)) orphans_.emplace(id, 0);
  }
}

tl::expected<BackendId, std::string> Resolver::free_id(Resolution& resolution) const {
  // Ascending and wrapping, so that a number rests as long as possible before it is used again.
  auto& last = resolution.last_id_;
  for (BackendId tried = 0; tried < mark_.max_id(); ++tried) {
    last = last < mark_.max_id() ? last + 1 : 1;
    if (used_.contains(last) || orphans_.contains(last) || !resolution.new_ids_.insert(last).second) continue;
    return last;
  }
  return tl::make_unexpected(
      fmt::format("all {} backend numbers of node.ct_mark_mask are in use, some by backends that still drain", mark_.max_id()));
}

Resolver::OfService& Resolver::draft(const std::string& service, Resolution& resolution) const {
  const auto present = known_.find(service);
  auto& known = resolution.known_[service] = present == known_.end() ? OfService{} : present->second;
  for (auto& [address, entry] : known) entry.configured = false;
  return known;
}

tl::expected<ServiceState, std::string> Resolver::resolve_one(const config::Service& service, Resolution& resolution) const {
  auto state = to_state(service);
  auto& known = draft(service.name, resolution);
  for (const auto& backend : service.backends) {
    const auto [place, is_new] = known.try_emplace(backend.address);
    Known& entry = place->second;
    if (is_new) {
      const auto id = free_id(resolution);
      if (!id) return tl::make_unexpected(id.error());
      entry.backend.id = *id;
    }
    entry.backend = {backend.name, backend.address, entry.backend.id, backend.weight, backend.weight, backend.max_connections};
    entry.configured = true;
    entry.left_at = 0;
    state.backends.push_back(entry.backend);
  }
  for (const auto& [address, entry] : known) {
    if (entry.configured) continue;
    auto& draining = state.backends.emplace_back(entry.backend);
    draining.weight = draining.share_weight = 0;
  }
  return state;
}

tl::expected<BackendId, std::string> Resolver::learn(const std::string& service, const netlink::Endpoint& address) {
  if (const auto present = known_.find(service); present != known_.end())
    if (const auto place = present->second.find(address); place != present->second.end()) return place->second.backend.id;
  Resolution resolution;
  resolution.last_id_ = last_id_;
  const auto id = free_id(resolution);
  if (!id) return tl::make_unexpected(id.error());
  resolution.known_[service] = known_[service];
  BackendState backend;
  backend.name = address.to_string();
  backend.address = address;
  backend.id = *id;
  resolution.known_[service].emplace(address, Known{std::move(backend), false});
  accept(std::move(resolution));
  return *id;
}

tl::expected<Resolver::Resolution, std::string> Resolver::resolve(const std::vector<const config::Service*>& services,
                                                                  const std::vector<std::string>& gone) const {
  Resolution resolution;
  resolution.last_id_ = last_id_;
  for (const auto* service : services) {
    auto state = resolve_one(*service, resolution);
    if (!state) return tl::make_unexpected(state.error());
    resolution.services.emplace(service->name, *std::move(state));
  }
  for (const auto& name : gone) draft(name, resolution);
  return resolution;
}

void Resolver::accept(Resolution resolution) {
  for (auto& [service, known] : resolution.known_) {
    if (std::ranges::all_of(known, [](const auto& item) { return item.second.configured; })) {
      leaving_.erase(service);
    } else {
      leaving_.insert(service);
    }
    if (known.empty()) {
      known_.erase(service);
    } else {
      known_.insert_or_assign(service, std::move(known));
    }
  }
  used_.insert(resolution.new_ids_.begin(), resolution.new_ids_.end());
  last_id_ = resolution.last_id_;
}

std::set<std::string> Resolver::forget_drained(const std::function<bool(BackendId)>& has_flows, std::uint64_t resyncs) {
  const auto note = [&](BackendId id, std::uint64_t& left_at) {
    if (has_flows(id)) {
      left_at = 0;
    } else if (left_at == 0) {
      left_at = resyncs;
    }
  };
  const auto ended = [resyncs](std::uint64_t left_at) { return left_at != 0 && resyncs >= left_at + kResyncsKept; };
  std::set<std::string> changed;
  for (const auto& service : leaving_) {
    for (auto& [address, entry] : known_.at(service)) {
      if (entry.configured) continue;
      note(entry.backend.id, entry.left_at);
      if (!ended(entry.left_at)) continue;
      used_.erase(entry.backend.id);
      changed.insert(service);
    }
  }
  for (const auto& service : changed)
    std::erase_if(known_.at(service), [&](const auto& item) { return !item.second.configured && ended(item.second.left_at); });
  for (auto& [id, left_at] : orphans_) note(id, left_at);
  std::erase_if(orphans_, [&](const auto& item) { return ended(item.second); });
  return changed;
}

std::vector<BackendId> Resolver::leaving() const {
  std::vector<BackendId> ids;
  for (const auto& service : leaving_)
    for (const auto& [address, entry] : known_.at(service))
      if (!entry.configured) ids.push_back(entry.backend.id);
  for (const auto& [id, left_at] : orphans_) ids.push_back(id);
  return ids;
}

std::vector<KnownBackend> Resolver::left() const {
  std::vector<KnownBackend> left;
  for (const auto& service : leaving_)
    for (const auto& [address, entry] : known_.at(service))
      if (!entry.configured) left.push_back({service, entry.backend});
  return left;
}

bool Resolver::is_draining(const std::string& service, const netlink::Endpoint& address) const {
  const auto of_service = known_.find(service);
  if (of_service == known_.end()) return false;
  const auto place = of_service->second.find(address);
  return place != of_service->second.end() && !place->second.configured;
}

}  // namespace wsl4::service
