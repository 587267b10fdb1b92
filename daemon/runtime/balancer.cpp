#include "daemon/runtime/balancer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace wsl4::runtime {

namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

/// In one transaction, about 10 ms of the kernel's time.
constexpr std::size_t kServicesAtOnce = 64;

}  // namespace

Balancer::Balancer(boost::asio::io_context& io, dataplane::Applier& applier, balance::LiveCounts counts,
                   std::function<void(const netlink::Error&)> on_failure)
    : applier_(applier),
      counts_(std::move(counts)),
      on_failure_(std::move(on_failure)),
      timer_(io, balance::DealClock::kShortestInterval, [this](TimePoint now) { deal_what_is_due(now); }) {}

service::StateChange Balancer::deal(service::StateChange change) {
  const auto now = steady_clock::now();
  for (const auto& [name, service] : change.services) forget(name);
  for (auto& [name, service] : change.services)
    if (auto* dealer = want(name, service, now)) service = dealer->deal(counts_, now, system_clock::now());
  timer_.wake(now);
  return change;
}

void Balancer::take_back(const service::StateChange& present) {
  const auto now = steady_clock::now();
  for (const auto& [name, service] : present.services) forget(name);
  for (const auto& [name, service] : present.services) want(name, service, now);
  timer_.wake(now);
}

/// Which backends it has.
void Balancer::forget(const std::string& service) {
  const auto dealer = dealers_.find(service);
  if (dealer == dealers_.end()) return;
  for (const auto& backend : dealer->second.wanted().backends) services_.erase(backend.id);
}

balance::ServiceDealer* Balancer::want(const std::string& name, const std::optional<service::ServiceState>& service,
                                       TimePoint now) {
  if (!service) {
    dealers_.erase(name);
    return nullptr;
  }
  auto& dealer = *dealers_.try_emplace(name).first;
  for (const auto& backend : service->backends) services_[backend.id] = &dealer;
  dealer.second.want(*service, counts_, now);
  pending_.insert(name);
  return &dealer.second;
}

const std::string* Balancer::service_of(service::BackendId backend) const {
  const auto service = services_.find(backend);
  return service == services_.end() ? nullptr : &service->second->first;
}

void Balancer::counts_changed(const std::vector<service::BackendId>& backends) {
  std::vector<Dealers::value_type*> dealers;
  for (const auto backend : backends)
    if (const auto service = services_.find(backend); service != services_.end()) dealers.push_back(service->second);
  std::ranges::sort(dealers);
  dealers.erase(std::unique(dealers.begin(), dealers.end()), dealers.end());  // clang 14 knows no ranges::unique of these
  const auto now = steady_clock::now();
  for (auto* dealer : dealers) {
    dealer->second.observe(counts_, now);
    const auto due = dealer->second.due();
    if (!due) continue;
    pending_.insert(dealer->first);
    timer_.wake(*due);
  }
}

void Balancer::expect(service::BackendId backend, std::uint64_t flows) {
  const auto service = services_.find(backend);
  if (service != services_.end()) service->second->second.expect(flows, steady_clock::now());
}

void Balancer::deal_what_is_due(TimePoint now) {
  if (!applier_.in_sync()) return timer_.wake(now + balance::DealClock::kInterval);  // whoever mends the kernel's table comes first
  std::vector<service::ServiceState> dealt;
  std::optional<TimePoint> next;
  for (auto name = pending_.begin(); name != pending_.end();) {
    const auto dealer = dealers_.find(*name);
    auto due = dealer == dealers_.end() ? std::nullopt : dealer->second.due();
    if (due && *due <= now && dealt.size() < kServicesAtOnce) {
      dealt.push_back(dealer->second.deal(counts_, now, system_clock::now()));
      due = dealer->second.due();
    }
    if (due && (!next || *due < *next)) next = due;
    name = due ? std::next(name) : pending_.erase(name);
  }
  if (next) timer_.wake(*next);
  if (dealt.empty()) return;
  const auto applied = applier_.apply_shares(dealt);
  if (applied) return;
  for (const auto& service : dealt) {
    dealers_.at(service.name).deal_again();
    pending_.insert(service.name);
  }
  timer_.wake(now + balance::DealClock::kInterval);
  on_failure_(applied.error());
}

}  // namespace wsl4::runtime
