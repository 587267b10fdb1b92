#include "daemon/service/newcomers.h"

namespace wsl4::service {

Newcomers::Newcomers(const std::vector<std::pair<std::string, netlink::Endpoint>>& serving, const std::vector<Newcomer>& starting)
    : begin_together_(serving.empty()), serving_(serving.begin(), serving.end()) {
  for (const auto& [service, address, since] : starting) starting_.emplace(Key{service, address}, since);
}

void Newcomers::update(DesiredState& state, WallTime now) {
  std::set<Key> serving;
  std::map<Key, WallTime> starting;
  for (auto& [name, service] : state.services) {
    for (auto& backend : service.backends) {
      if (backend.share_weight == 0) continue;
      const Key key{name, backend.address};
      serving.insert(key);
      if (service.slow_start.count() == 0) continue;
      const auto known = starting_.find(key);
      const bool is_new = !begin_together_ && !serving_.contains(key);
      if (known == starting_.end() && !is_new) continue;
      const auto since = is_new ? now : known->second;
      if (now - since >= service.slow_start) continue;
      backend.serving_since = since;
      starting.emplace(key, since);
    }
  }
  begin_together_ = false;
  serving_ = std::move(serving);
  starting_ = std::move(starting);
}

std::vector<Newcomer> Newcomers::starting() const {
  std::vector<Newcomer> list;
  for (const auto& [key, since] : starting_) list.push_back({key.first, key.second, since});
  return list;
}

}  // namespace wsl4::service
