// What health checks change, and what makes them look.
#include <algorithm>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "daemon/runtime/app.h"
#include "daemon/util/ask.h"
#include "daemon/util/counted.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace asio = boost::asio;

namespace {

/// nullptr: the service has none there.
const service::BackendState* find_backend(const service::DesiredState& state, const std::string& service,
                                          const netlink::Endpoint& address) {
  const auto own = state.services.find(service);
  if (own == state.services.end()) return nullptr;
  const auto backend = std::ranges::find(own->second.backends, address, &service::BackendState::address);
  return backend == own->second.backends.end() ? nullptr : &*backend;
}

}  // namespace

void App::start_health() {
  HealthWatch::Hooks hooks;
  hooks.on_change = [this](const health::Status& status) { health_changed(status); };
  hooks.usable = [this](const netlink::IpAddress& source, const netlink::Endpoint& backend) {
    return !tight_.contains({source, backend});
  };
  hooks.on_all_down = [this](const std::string& service) {
    events_.add("all-backends-down",
                "all backends failed together, so the fault is more likely on this side: no connection is reset", service);
  };
  health_ = std::make_unique<HealthWatch>(io_, std::move(hooks));
  watch_all();
}

void App::watch_all() {
  Names all;
  for (const auto& [service, state] : assembler_.desired().services) all.insert(all.end(), service);
  watch_health(std::move(all));
}

void App::watch_health(Names services) {
  health_->check_from_pool(is_active());
  for (const auto& own : wanted_.file->services) {
    if (services.erase(own.name) == 0) continue;
    health_->watch(service::in_effect(assembler_.laid(), own), wanted_.file->pools, service::marks_of(assembler_.laid(), own.name));
  }
  for (const auto& gone : services) health_->forget(gone);
  if (pair_) pair_->set_healthy(health_->is_healthy());
}

void App::health_changed(const health::Status& status) {
  const auto& standing = status.standing;
  const auto* state = standing.state == health::State::kDown ? "backend-down" : "backend-up";
  auto detail = standing.detail;
  if (!status.excluded.empty())
    detail += "; does not reach it: " + util::counted(status.excluded.size(), "pool address", "pool addresses");
  const auto* backend = find_backend(assembler_.desired(), status.service, status.backend);
  events_.add(state, std::move(detail), status.service, backend == nullptr ? status.backend.to_string() : backend->name);
  touched_.insert(status.service);
  if (!std::exchange(following_health_, true)) asio::co_spawn(io_, follow_health(), asio::detached);
}

/// Whatever changes while this waits for its turn is taken along.
asio::awaitable<void> App::follow_health() {
  const auto held = co_await changing_.acquire();
  following_health_ = false;
  if (pair_) pair_->set_healthy(health_->is_healthy());
  share(pair::Document::kHealth, health::to_text(health_->findings()));
  const auto applied = co_await apply_again();
  if (!applied) log::error("apply-failed", "error=\"{}\"", applied.error().title);
}

std::vector<App::DueEnding> App::take_endings() {
  std::vector<DueEnding> endings;
  if (!health_) return endings;
  for (auto& ending : health_->take_endings()) {
    if (!is_active()) continue;  // the peer ends them, and tells
    const auto* backend = find_backend(assembler_.desired(), ending.service, ending.backend);
    if (backend == nullptr) continue;
    const auto tell = ending.connects ? flows::FlowEnder::Tell::kBothEnds : flows::FlowEnder::Tell::kClient;
    endings.push_back({std::move(ending), backend->id, backend->name, tell});
  }
  return endings;
}

/// After a look at all counters for so many times as long as it took: with thousands of backends they are not read each second.
constexpr int kPause = 50;

/// A backend to which flows go without one being established is checked now, not when its interval has passed.
asio::awaitable<void> App::suspect() {
  const auto begun = std::chrono::steady_clock::now();
  if (!health_->watches_any() || begun < next_suspicion_) co_return;
  auto question = [this] { return kernel_->openings(); };
  const auto openings = co_await util::ask(kernel_->io(), std::move(question));
  const auto now = std::chrono::steady_clock::now();
  next_suspicion_ = now + kPause * (now - begun);
  const auto suspicious = suspicion_.look(openings);
  if (suspicious.empty()) co_return;
  const std::set<service::BackendId> suspects(suspicious.begin(), suspicious.end());
  for (const auto& [name, service] : assembler_.desired().services)
    for (const auto& backend : service.backends)
      if (suspects.contains(backend.id)) health_->suspect(name, backend.address);
}

/// A check takes a port like a flow does, whichever service's: none is made where hardly any is left.
constexpr double kTightPair = 0.95;

std::uint64_t App::fewest_tight() const { return static_cast<std::uint64_t>(assembler_.desired().fewest_ports() * kTightPair) + 1; }

void App::note_tight(const std::vector<flows::PortUse>& uses) {
  tight_.clear();
  if (uses.empty()) return;
  std::map<netlink::IpAddress, double> limits;
  for (const auto& [name, pool] : assembler_.desired().pools)
    for (const auto& address : pool.addresses) limits.emplace(address, pool.ports() * kTightPair);
  for (const auto& use : uses) {
    if (use.backend.protocol != netlink::Protocol::kTcp) continue;
    for (const auto& [source, held] : use.held) {
      const auto limit = limits.find(source);
      if (limit != limits.end() && static_cast<double>(held) > limit->second) tight_.emplace(source, use.backend.address);
    }
  }
}

}  // namespace wsl4::runtime
