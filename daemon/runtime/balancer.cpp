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
    : applier_(applier), counts_(std::move(counts)), on_failure_(std::move(on_failure)), timer_(io) {}

service::StateChange Balancer::deal(service::StateChange change) {
  const auto now = steady_clock::now();
  for (const auto& [name, service] : change.services) forget(name);
  for (auto& [name, service] : change.services) {
    if (!service) {
      dealers_.erase(name);
      continue;
    }
    for (const auto& backend : service->backends) services_[backend.id] = name;
    auto& dealer = dealers_[name];
    dealer.want(*std::move(service), counts_, now);
    service = dealer.deal(counts_, now, system_clock::now());
    pending_.insert(name);
  }
  wake(now);
  return change;
}

/// Which backends it has.
void Balancer::forget(const std::string& service) {
  const auto dealer = dealers_.find(service);
  if (dealer == dealers_.end()) return;
  for (const auto& backend : dealer->second.wanted().backends) services_.erase(backend.id);
}

const std::string* Balancer::service_of(service::BackendId backend) const {
  const auto service = services_.find(backend);
  return service == services_.end() ? nullptr : &service->second;
}

balance::ServiceDealer* Balancer::dealer_of(service::BackendId backend) {
  const auto service = services_.find(backend);
  if (service == services_.end()) return nullptr;
  pending_.insert(service->second);
  return &dealers_.at(service->second);
}

void Balancer::counts_changed(const std::vector<service::BackendId>& backends) {
  const auto now = steady_clock::now();
  for (const auto backend : backends)
    if (auto* dealer = dealer_of(backend)) dealer->observe(counts_, now);
  if (!pending_.empty()) wake(now);
}

void Balancer::expect(service::BackendId backend, std::uint64_t flows) {
  if (auto* dealer = dealer_of(backend)) dealer->expect(flows, steady_clock::now());
}

/// Never sooner than the shortest time between two deals, so that a stream of events does not become a stream of transactions.
void Balancer::wake(steady_clock::time_point when) {
  if (waiting_) return;
  waiting_ = true;
  timer_.expires_at(std::max(when, steady_clock::now() + balance::DealClock::kShortestInterval));
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    waiting_ = false;
    if (!cancelled) deal_what_is_due();
  });
}

void Balancer::deal_what_is_due() {
  const auto now = steady_clock::now();
  std::vector<service::ServiceState> dealt;
  std::optional<steady_clock::time_point> next;
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
  if (!dealt.empty()) {
    if (const auto applied = applier_.apply_shares(dealt); !applied) on_failure_(applied.error());
  }
  if (next) wake(*next);
}

}  // namespace wsl4::runtime
