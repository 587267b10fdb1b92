#include "daemon/runtime/health_watch.h"

#include <algorithm>
#include <memory>

namespace wsl4::runtime {

namespace {

using config::OnBackendDown;
using health::State;

/// A pool's addresses, shared by all that are checked from them.
class SourceLists {
 public:
  explicit SourceLists(const config::Config& config) : config_(config) {}

  health::Sources of(const config::Service& service, netlink::Family family) {
    if (service.mode != config::Mode::kSnat) return nullptr;
    auto& list = lists_[{service.pool, family}];
    if (list) return list;
    auto addresses = std::make_shared<std::vector<netlink::IpAddress>>();
    for (const auto& pool : config_.pools) {
      if (pool.name != service.pool) continue;
      std::ranges::copy_if(pool.addresses, std::back_inserter(*addresses),
                           [family](const auto& one) { return one.family() == family; });
    }
    list = std::move(addresses);
    return list;
  }

 private:
  const config::Config& config_;
  std::map<std::pair<std::string, netlink::Family>, health::Sources> lists_;
};

}  // namespace

HealthWatch::HealthWatch(boost::asio::io_context& io, Hooks hooks)
    : hooks_(std::move(hooks)), scheduler_(io, {[this](const health::Status& status) { changed(status); }, hooks_.usable}) {}

void HealthWatch::set_targets(const config::Config& effective, const service::Marks& marks, bool from_pool) {
  SourceLists sources(effective);
  std::vector<health::Target> targets;
  policies_.clear();
  for (const auto& service : effective.services) {
    if (service.health.type == config::HealthType::kNone) continue;
    policies_[service.name] = {service.on_backend_down, service.health};
    for (const auto& backend : service.backends) {
      const auto mark = marks.find({service.name, backend.address});
      if (mark != marks.end() && mark->second.standing == service::Mark::Standing::kDisabled) continue;
      auto from = from_pool ? sources.of(service, backend.address.address.family()) : nullptr;
      targets.push_back({service.name, backend.address, service.health, std::move(from)});
    }
  }
  scheduler_.set_targets(std::move(targets));
}

service::Verdicts HealthWatch::verdicts() const {
  service::Verdicts verdicts;
  for (const auto& status : scheduler_.snapshot())
    verdicts[{status.service, status.backend}] = {status.standing.state == State::kDown, status.excluded};
  return verdicts;
}

bool HealthWatch::is_healthy() const {
  std::map<std::string, bool> serving;
  for (const auto& status : scheduler_.snapshot()) serving[status.service] |= status.standing.state != State::kDown;
  return std::ranges::all_of(serving, [](const auto& item) { return item.second; });
}

void HealthWatch::changed(const health::Status& status) {
  const Key key{status.service, status.backend};
  if (status.standing.state == State::kDown) {
    down_.insert(key);
  } else {
    down_.erase(key);
  }
  hooks_.on_change(status);
}

health::Fault HealthWatch::fault_of(const Key& key) const {
  const auto all = scheduler_.snapshot(key.first);
  std::vector<health::Standing> standings;
  std::size_t fallen = all.size();
  for (const auto& status : all) {
    if (status.backend == key.second) fallen = standings.size();
    standings.push_back(status.standing);
  }
  if (fallen == all.size()) return health::Fault::kBackend;  // not checked any more
  return health::fault_of(standings, fallen, health::one_interval(policies_.at(key.first).health),
                          std::chrono::steady_clock::now());
}

std::vector<Ending> HealthWatch::take_endings() {
  std::vector<Ending> endings;
  std::set<std::string> told;
  std::erase_if(down_, [&](const Key& key) {
    const auto policy = policies_.find(key.first);
    if (policy == policies_.end() || policy->second.action == OnBackendDown::kKeep) return true;
    const auto all = scheduler_.snapshot(key.first);
    const auto status = std::ranges::find(all, key.second, &health::Status::backend);
    const bool connects = status == all.end() || status->standing.failure != health::Failure::kConnect;
    // One that answers wrongly may come to refuse connections: then its state changes once more.
    if (connects && policy->second.action == OnBackendDown::kAuto) return true;
    const auto fault = fault_of(key);
    if (fault == health::Fault::kOpen) return false;
    if (fault == health::Fault::kBackend) {
      endings.push_back({key.first, key.second, connects});
    } else if (told.insert(key.first).second) {
      hooks_.on_all_down(key.first);
    }
    return true;
  });
  return endings;
}

}  // namespace wsl4::runtime
