#include "daemon/service/resolver.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace wsl4::service {

namespace {

constexpr std::uint64_t kResyncsKept = 2;

PoolState to_state(const config::Pool& pool) { return {pool.name, pool.addresses, pool.port_min, pool.port_max}; }

ServiceState to_state(const config::Service& service) {
  ServiceState state;
  state.name = service.name;
  state.protocol = service.protocol;
  state.listen = service.listen;
  state.scheduler = service.scheduler;
  state.mode = service.mode;
  state.pool = service.pool;
  state.slow_start = service.slow_start;
  state.client_connections = static_cast<std::uint32_t>(service.client_limit_connections);
  state.client_rate = static_cast<std::uint32_t>(service.client_limit_rate);
  return state;
}

}  // namespace

void Resolver::adopt(const std::vector<KnownBackend>& backends, const std::vector<BackendId>& live) {
  std::set<BackendId> known_ids;
  for (const auto& [service, backend] : backends) {
    if (backend.id == 0 || backend.id > mark_.max_id() || !known_ids.insert(backend.id).second) continue;
    if (!known_.try_emplace(Key{service, backend.address}, Known{backend, false}).second) {
      orphans_.emplace(backend.id, 0);  // a second number of the same backend: nobody else gets it
    }
    last_id_ = std::max(last_id_, backend.id);
  }
  for (const auto id : live) {
    if (!known_ids.contains(id)) orphans_.emplace(id, 0);
  }
}

tl::expected<BackendId, std::string> Resolver::free_id(const std::map<Key, Known>& known) {
  // Ascending and wrapping, so that a number rests as long as possible before it is used again.
  if (last_id_ < mark_.max_id() && orphans_.empty()) return ++last_id_;
  std::set<BackendId> used;
  for (const auto& [key, entry] : known) used.insert(entry.backend.id);
  for (BackendId tried = 0; tried < mark_.max_id(); ++tried) {
    last_id_ = last_id_ < mark_.max_id() ? last_id_ + 1 : 1;
    if (!used.contains(last_id_) && !orphans_.contains(last_id_)) return last_id_;
  }
  return tl::make_unexpected(
      fmt::format("all {} backend numbers of node.ct_mark_mask are in use, some by backends that still drain", mark_.max_id()));
}

tl::expected<DesiredState, std::string> Resolver::resolve(const config::Config& config) {
  auto known = known_;
  for (auto& [key, entry] : known) entry.configured = false;

  DesiredState state;
  state.mark = mark_;
  state.owned_table = kernel_.owned_table;
  state.double_dnat = kernel_.double_dnat;
  for (const auto& pool : config.pools) state.pools.emplace(pool.name, to_state(pool));
  for (const auto& service : config.services) {
    auto& resolved = state.services.emplace(service.name, to_state(service)).first->second;
    for (const auto& backend : service.backends) {
      const auto [place, is_new] = known.try_emplace(Key{service.name, backend.address});
      Known& entry = place->second;
      if (is_new) {
        const auto id = free_id(known);
        if (!id) return tl::make_unexpected(id.error());
        entry.backend.id = *id;
      }
      entry.backend = {backend.name, backend.address, entry.backend.id, backend.weight, backend.weight, backend.max_connections};
      entry.configured = true;
      entry.left_at = 0;
      resolved.backends.push_back(entry.backend);
    }
  }
  for (const auto& [key, entry] : known) {
    const auto service = state.services.find(key.first);
    if (entry.configured || service == state.services.end()) continue;
    auto draining = entry.backend;
    draining.weight = draining.share_weight = 0;
    service->second.backends.push_back(std::move(draining));
  }
  known_ = std::move(known);
  return state;
}

tl::expected<void, std::string> Resolver::learn(const std::string& service, const netlink::Endpoint& address) {
  const Key key{service, address};
  if (known_.contains(key)) return {};
  const auto id = free_id(known_);
  if (!id) return tl::make_unexpected(id.error());
  BackendState backend;
  backend.name = address.to_string();
  backend.address = address;
  backend.id = *id;
  known_.emplace(key, Known{std::move(backend), false});
  return {};
}

bool Resolver::forget_drained(const std::function<bool(BackendId)>& has_flows, std::uint64_t resyncs) {
  const auto note = [&](BackendId id, std::uint64_t& left_at) {
    if (has_flows(id)) {
      left_at = 0;
    } else if (left_at == 0) {
      left_at = resyncs;
    }
  };
  const auto ended = [resyncs](std::uint64_t left_at) { return left_at != 0 && resyncs >= left_at + kResyncsKept; };
  for (auto& [key, entry] : known_) {
    if (!entry.configured) note(entry.backend.id, entry.left_at);
  }
  for (auto& [id, left_at] : orphans_) note(id, left_at);
  std::erase_if(orphans_, [&](const auto& item) { return ended(item.second); });
  return std::erase_if(known_, [&](const auto& item) { return !item.second.configured && ended(item.second.left_at); }) != 0;
}

bool Resolver::is_draining(const std::string& service, const netlink::Endpoint& address) const {
  const auto place = known_.find(Key{service, address});
  return place != known_.end() && !place->second.configured;
}

}  // namespace wsl4::service
