#include "daemon/service/newcomers.h"

#include <algorithm>

namespace wsl4::service {

Newcomers::Newcomers(const std::vector<std::pair<std::string, netlink::Endpoint>>& serving, const std::vector<Newcomer>& starting)
    : begin_together_(serving.empty()) {
  for (const auto& [service, address] : serving) services_[service].serving.insert(address);
  for (const auto& [service, address, since] : starting) {
    services_[service].starting.emplace(address, since);
    with_starting_.insert(service);
  }
}

Newcomers::OfService Newcomers::look_at(ServiceState& service, WallTime now) const {
  const auto place = services_.find(service.name);
  const auto before = place == services_.end() ? OfService{} : place->second;
  OfService seen;
  for (auto& backend : service.backends) {
    if (backend.share_weight == 0) continue;
    seen.serving.insert(backend.address);
    if (service.slow_start.count() == 0) continue;
    const auto known = before.starting.find(backend.address);
    const bool is_new = !begin_together_ && !before.serving.contains(backend.address);
    if (known == before.starting.end() && !is_new) continue;
    const auto since = is_new ? now : std::min(now, known->second);
    if (now - since >= service.slow_start) continue;
    backend.serving_since = since;
    seen.starting.emplace(backend.address, since);
  }
  return seen;
}

void Newcomers::accept(std::map<std::string, OfService> services) {
  begin_together_ = false;
  for (auto& service : services) keep(service.first, std::move(service.second));
}

void Newcomers::keep(const std::string& service, OfService known) {
  if (known.starting.empty()) {
    with_starting_.erase(service);
  } else {
    with_starting_.insert(service);
  }
  if (known.serving.empty()) {
    services_.erase(service);
  } else {
    services_.insert_or_assign(service, std::move(known));
  }
}

std::vector<Newcomer> Newcomers::starting() const {
  std::vector<Newcomer> list;
  for (const auto& service : with_starting_)
    for (const auto& [address, since] : services_.at(service).starting) list.push_back({service, address, since});
  return list;
}

}  // namespace wsl4::service
