#include "daemon/runtime/kernel_worker.h"

#include <pthread.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace {

using netlink::Result;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBeatInterval{100};
/// The thread counts as hung when it has not turned for so long; with the unit's watchdog of 2 s an end within 2 s of it.
constexpr std::chrono::milliseconds kBeatLimit{1000};
/// One transaction over all of 10,000 services takes the kernel 6 s.
constexpr std::chrono::seconds kLongWorkLimit{30};
constexpr std::chrono::milliseconds kRepairRetry{200};

std::int64_t nanoseconds(steady_clock::time_point when) { return when.time_since_epoch().count(); }

}  // namespace

KernelWorker::KernelWorker(const service::DesiredState& nothing, Parts parts,
                           std::function<std::chrono::seconds()> established_timeout, KernelCallbacks callbacks)
    : mark_(nothing.mark),
      callbacks_(std::move(callbacks)),
      parts_(std::move(parts)),
      ender_(*parts_.conntrack, *parts_.prober),
      collector_(io_, mark_,
                 flows::Collector::Dependencies{*parts_.conntrack, std::move(parts_.events), ender_, std::move(established_timeout),
                                                callbacks_.on_overrun,
                                                [this](const auto& backends) { balancer_.counts_changed(backends); }}),
      applier_(*parts_.nftables, nothing),
      balancer_(
          io_, applier_, [this](service::BackendId backend) { return live_count(backend); },
          [this](const netlink::Error& error) {
            log::error("shares-not-applied", "error=\"{}\"", error.message());
            repair();
          }),
      evictions_(io_, flows::Evictor(*parts_.conntrack, ender_, mark_),
                 [this](service::BackendId backend) { return collector_.counter().backend(backend).connections; }),
      wanted_(nothing),
      monitor_fd_(io_),
      beat_timer_(io_),
      repair_timer_(io_) {}

KernelWorker::~KernelWorker() {
  stop();
  monitor_fd_.release();  // the monitor closes it
}

Result<std::unique_ptr<KernelWorker>> KernelWorker::open(const service::DesiredState& nothing,
                                                         std::function<std::chrono::seconds()> established_timeout,
                                                         KernelCallbacks callbacks) {
  auto nftables = netlink::nft::KernelNftables::open();
  if (!nftables) return tl::make_unexpected(nftables.error());
  auto monitor = netlink::nft::Monitor::open(dataplane::kTableName, (*nftables)->port_id());
  if (!monitor) return tl::make_unexpected(monitor.error());
  auto conntrack = netlink::conntrack::KernelConntrack::open();
  if (!conntrack) return tl::make_unexpected(conntrack.error());
  netlink::conntrack::EventOptions options;
  options.mark_any = nothing.mark.backend_mask();
  auto events = netlink::conntrack::open_events(options);
  if (!events) return tl::make_unexpected(events.error());
  auto prober = netlink::open_tcp_prober();
  if (!prober) return tl::make_unexpected(prober.error());

  Parts parts{std::move(*nftables), std::move(*conntrack), std::move(*events), std::move(*prober), std::move(*monitor)};
  std::unique_ptr<KernelWorker> worker(
      new KernelWorker(nothing, std::move(parts), std::move(established_timeout), std::move(callbacks)));
  boost::system::error_code failed;
  worker->monitor_fd_.assign(worker->parts_.monitor.fd(), failed);
  if (failed) return netlink::failure(failed.value(), "watch the ruleset");
  return worker;
}

Result<std::vector<dataplane::AdoptedBackend>> KernelWorker::adopt() {
  const auto counted = collector_.start();
  if (!counted) return tl::make_unexpected(counted.error());
  return applier_.adopt(mark_);
}

Result<std::vector<BorneNumber>> KernelWorker::borne_numbers() {
  auto dump = parts_.conntrack->dump({});
  if (!dump) return tl::make_unexpected(dump.error());
  boost::unordered_flat_map<service::BackendId, BorneNumber> borne;
  for (;;) {
    const auto more = (*dump)->step([&](const netlink::conntrack::Flow& flow) {
      const auto id = mark_.to_id(flow.mark);
      if (id != 0) borne.try_emplace(id, BorneNumber{id, flow.original.protocol, flow.original.destination, flow.reply.source});
    });
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) break;
  }
  std::vector<BorneNumber> numbers;
  for (const auto& [id, number] : borne) numbers.push_back(number);
  return numbers;
}

void KernelWorker::run() {
  beat();
  watch_table();
  thread_ = std::jthread([this] {
    pthread_setname_np(pthread_self(), "kernel");
    io_.run();
  });
}

void KernelWorker::stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void KernelWorker::beat() {
  alive_until_ = nanoseconds(steady_clock::now() + kBeatLimit);
  beat_timer_.expires_after(kBeatInterval);
  beat_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) beat();
  });
}

bool KernelWorker::is_alive() const { return nanoseconds(steady_clock::now()) < alive_until_; }

Result<dataplane::Applied> KernelWorker::apply(const service::StateChange& change) {
  alive_until_ = nanoseconds(steady_clock::now() + kLongWorkLimit);
  auto applied = applier_.apply(balancer_.deal(change));
  beat();
  if (!applied) {
    balancer_.deal(service::inverse(change, wanted_));
    repair();
    return applied;
  }
  follow(change);
  service::make_change(wanted_, change);
  evictions_.set_drains(drains_);
  evictions_.set_services(wanted_.services);
  return applied;
}

/// What depends on single backends.
void KernelWorker::follow(const service::StateChange& change) {
  for (const auto& [name, next] : change.services) {
    const auto present = wanted_.services.find(name);
    if (present == wanted_.services.end()) continue;
    for (const auto& backend : present->second.backends) {
      drains_.erase(backend.id);
      collector_.set_idle_timeout(backend.id, std::chrono::milliseconds(0));
    }
  }
  for (const auto& [name, next] : change.services) {
    if (!next) continue;
    for (const auto& backend : next->backends) {
      if (backend.evict > 0) drains_.emplace(backend.id, backend.evict);
      if (next->protocol == netlink::Protocol::kTcp) collector_.set_idle_timeout(backend.id, next->idle_timeout);
    }
  }
}

netlink::nft::Transaction KernelWorker::preview(const service::StateChange& change) {
  auto transaction = applier_.preview(balancer_.deal(change));
  balancer_.deal(service::inverse(change, wanted_));
  return transaction;
}

balance::LiveCount KernelWorker::live_count(service::BackendId backend) const {
  const auto count = collector_.counter().backend(backend);
  return {count.connections, count.started, std::nullopt};
}

void KernelWorker::watch_table() {
  monitor_fd_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& failed) {
    if (failed) return;
    const auto changes = parts_.monitor.drain();
    // What was lost of our own owned table was our own: the kernel refuses others.
    const bool lost = !changes || (changes->overrun && !wanted_.owned_table);
    if (lost || changes->foreign_change) repair();
    watch_table();
  });
}

void KernelWorker::repair() {
  alive_until_ = nanoseconds(steady_clock::now() + kLongWorkLimit);
  const auto repaired = applier_.repair();
  beat();
  if (!repaired) {
    log::error("ruleset-repair-failed", "error=\"{}\"", repaired.error().message());
    repair_timer_.expires_after(kRepairRetry);
    repair_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) repair();
    });
    return;
  }
  if (repaired->objects == 0) return;
  ++repairs_;
  callbacks_.on_repaired(fmt::format("somebody else changed table inet {}; {} objects put right in {} us", dataplane::kTableName,
                                     repaired->objects, repaired->duration.count()));
}

KernelCounts KernelWorker::counts() {
  KernelCounts counts;
  for (const auto id : collector_.counter().live_backends()) {
    counts.backends[id] = collector_.counter().backend(id);
    counts.rates[id] = collector_.rate(id);
  }
  for (const auto& [name, service] : applier_.state().services)
    for (const auto& backend : service.backends) counts.shares[backend.id] = service.share_of(backend);
  counts.pairs = collector_.counter().pairs();
  if (auto counters = parts_.nftables->read_counters(dataplane::kTableName)) counts.counters = std::move(*counters);
  counts.collector = collector_.stats();
  counts.ruleset_in_sync = applier_.in_sync();
  counts.ruleset_repairs = repairs_;
  return counts;
}

boost::asio::awaitable<Result<void>> KernelWorker::visit_flows(std::function<bool(const netlink::conntrack::Flow&)> sink) {
  auto dump = parts_.conntrack->dump({});
  if (!dump) co_return tl::make_unexpected(dump.error());
  bool wanted = true;
  const auto visit = [&](const netlink::conntrack::Flow& flow) {
    if (wanted && mark_.to_id(flow.mark) != 0) wanted = sink(flow);
  };
  for (;;) {
    const auto more = (*dump)->step(visit);
    if (!more) co_return tl::make_unexpected(more.error());
    if (!*more || !wanted) co_return Result<void>{};
    co_await boost::asio::post(io_, boost::asio::use_awaitable);  // let events and commits have their turn
  }
}

}  // namespace wsl4::runtime
