#include "daemon/service/assembler.h"

#include <utility>

namespace wsl4::service {
namespace {

PoolState to_state(const config::Pool& pool) { return {pool.name, pool.addresses, pool.port_min, pool.port_max}; }

std::map<std::string, std::optional<PoolState>> changed_pools(const std::map<std::string, PoolState>& present,
                                                              const std::vector<config::Pool>& pools) {
  std::map<std::string, std::optional<PoolState>> changed;
  for (const auto& [name, pool] : present) changed.emplace(name, std::nullopt);
  for (const auto& pool : pools) {
    auto next = to_state(pool);
    const auto known = present.find(pool.name);
    if (known != present.end() && known->second == next) {
      changed.erase(pool.name);
    } else {
      changed.insert_or_assign(pool.name, std::move(next));
    }
  }
  return changed;
}

}  // namespace

void Assembler::adopt(const std::vector<KnownBackend>& backends, const std::vector<BackendId>& live,
                      const std::vector<Newcomer>& starting) {
  resolver_.adopt(backends, live);
  std::vector<std::pair<std::string, netlink::Endpoint>> serving;
  serving.reserve(backends.size());
  for (const auto& [service, backend] : backends) serving.emplace_back(service, backend.address);
  newcomers_ = Newcomers(serving, starting);
}

tl::expected<Assembler::Draft, std::string> Assembler::draft(const Inputs& inputs, const std::set<std::string>& touched) const {
  auto names = touched;
  names.insert(newcomers_.services_with_starting().begin(), newcomers_.services_with_starting().end());
  Draft draft;
  draft.change.pools = changed_pools(desired_.pools, inputs.file.pools);
  std::vector<const config::Service*> services;  // in the order of the file
  for (const auto& own : inputs.file.services) {
    if (names.erase(own.name) == 0) continue;
    const auto& laid = draft.laid[own.name] = inputs.overlay.lay(inputs.file, own.name, &own);
    services.push_back(laid ? &*laid->service : &own);
  }
  for (const auto& gone : names) {
    draft.laid[gone] = inputs.overlay.lay(inputs.file, gone, nullptr);
    if (desired_.services.contains(gone)) draft.change.services[gone] = std::nullopt;
  }
  auto resolution = resolver_.resolve(services, {names.begin(), names.end()});
  if (!resolution) return tl::make_unexpected(resolution.error());
  for (auto& [name, state] : resolution->services) {
    const auto& laid = draft.laid.at(name);
    apply_standing(state, laid ? laid->marks : Marks{}, inputs.verdicts(name));
    draft.newcomers[name] = newcomers_.look_at(state, inputs.now);
    const auto present = desired_.services.find(name);
    if (present == desired_.services.end() || present->second != state) draft.change.services[name] = std::move(state);
  }
  draft.resolution = *std::move(resolution);
  return draft;
}

void Assembler::accept(Draft draft) {
  for (auto& [name, laid] : draft.laid) {
    if (laid) {
      laid_.insert_or_assign(name, *std::move(laid));
    } else {
      laid_.erase(name);
    }
    draft.newcomers.try_emplace(name);  // one that has gone has none
  }
  newcomers_.accept(std::move(draft.newcomers));
  resolver_.accept(std::move(draft.resolution));
  make_change(desired_, std::move(draft.change));
}

const config::Service& in_effect(const std::map<std::string, LaidService>& laid, const config::Service& own) {
  const auto place = laid.find(own.name);
  return place == laid.end() || !place->second.service ? own : *place->second.service;
}

const Marks& marks_of(const std::map<std::string, LaidService>& laid, const std::string& service) {
  static const Marks kNone;
  const auto place = laid.find(service);
  return place == laid.end() ? kNone : place->second.marks;
}

}  // namespace wsl4::service
