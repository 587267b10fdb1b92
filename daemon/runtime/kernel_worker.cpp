#include "daemon/runtime/kernel_worker.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/dataplane/names.h"
#include "daemon/util/counted.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace {

using netlink::Result;
/// Of a service that is planned, or read from the kernel.
constexpr std::size_t kObjectsPerService = 100;
/// What has come to a standby is dealt with as seldom.
constexpr std::chrono::seconds kCopiesPause{1};
constexpr std::chrono::milliseconds kRepairRetry{200}, kLongestRepairRetry{6400};
/// So much of a pair's ports may be taken unseen.
constexpr std::uint64_t kUnseenPart = 8;

}  // namespace

KernelWorker::KernelWorker(const service::DesiredState& nothing, Parts parts,
                           std::function<std::chrono::seconds()> established_timeout, KernelCallbacks callbacks)
    : mark_(nothing.mark),
      callbacks_(std::move(callbacks)),
      parts_(std::move(parts)),
      ender_(*parts_.conntrack, *parts_.prober),
      replicator_(make_replicator()),
      collector_(io_, mark_,
                 flows::Collector::Dependencies{*parts_.conntrack, std::move(parts_.events), ender_, std::move(established_timeout),
                                                callbacks_.on_overrun,
                                                [this](const auto& backends) {
                                                  ports_.counts_changed();
                                                  balancer_.counts_changed(backends);
                                                },
                                                replicator_.get(), &numbers_}),
      applier_(*parts_.nftables, nothing, [this](std::size_t objects) { pulse_.beat(Pulse::Clock::now(), objects); }),
      balancer_(
          io_, applier_, [this](service::BackendId backend) { return live_count(backend); },
          [this](const netlink::Error& error) { failed(error); }),
      ports_(io_, {applier_, collector_.counter(), [this](service::BackendId backend) { return balancer_.service_of(backend); },
                   [this](const netlink::Error& error) { failed(error); },
                   [this](const auto& backends) { balancer_.counts_changed(backends); }, [this] { collector_.look_soon(); },
                   [this](flows::Reaper::Backends backends) { collector_.set_tight(std::move(backends)); }}),
      evictions_(
          io_, flows::Evictor(*parts_.conntrack, ender_, mark_),
          [this](service::BackendId backend) { return collector_.counter().backend(backend).connections; },
          callbacks_.on_rebalanced),
      active_(!replicator_),
      copies_counted_(io_, kCopiesPause, [this](PacedTimer::Clock::time_point) { collector_.tell_counts(); }),
      wanted_(nothing),
      monitor_fd_(io_),
      beat_timer_(io_),
      repair_timer_(io_),
      repair_pause_(kRepairRetry) {
  if (replicator_) collector_.set_timers(flows::Collector::Timers::kLeave);
}

std::unique_ptr<flows::Replicator> KernelWorker::make_replicator() {
  if (!callbacks_.replication) return nullptr;
  callbacks_.replication->look = [this] { collector_.look_soon(); };
  callbacks_.replication->told = {.put = [this](const auto& flow) { collector_.put(flow); },
                                  .erased = [this](const auto& flow) { collector_.erased(flow); }};
  callbacks_.replication->on_done = [this, next = std::move(callbacks_.replication->on_done)](flows::OperationsDone done) {
    count_copies();
    next(std::move(done));
  };
  return std::make_unique<flows::Replicator>(io_, mark_, *parts_.conntrack, *parts_.prober, numbers_,
                                             std::move(*callbacks_.replication));
}

KernelWorker::~KernelWorker() {
  stop();
  monitor_fd_.release();  // the monitor closes it
}

Result<std::unique_ptr<KernelWorker>> KernelWorker::open(const service::DesiredState& nothing,
                                                         std::function<std::chrono::seconds()> established_timeout,
                                                         KernelCallbacks callbacks) {
  auto nftables = netlink::nft::KernelNftables::open();
  if (!nftables) return tl::make_unexpected(nftables.error());
  auto conntrack = netlink::conntrack::KernelConntrack::open();
  if (!conntrack) return tl::make_unexpected(conntrack.error());
  netlink::conntrack::EventOptions options;
  options.mark_any = nothing.mark.backend_mask();
  auto events = netlink::conntrack::open_events(options);
  if (!events) return tl::make_unexpected(events.error());
  auto prober = netlink::open_tcp_prober();
  if (!prober) return tl::make_unexpected(prober.error());

  Parts parts{std::move(*nftables), std::move(*conntrack), std::move(*events), std::move(*prober)};
  std::unique_ptr<KernelWorker> worker(
      new KernelWorker(nothing, std::move(parts), std::move(established_timeout), std::move(callbacks)));
  if (nothing.owned_table) return worker;
  return worker->open_monitor().map([&] { return std::move(worker); });
}

Result<void> KernelWorker::open_monitor() {
  auto monitor = netlink::nft::Monitor::open(dataplane::kTableName, parts_.nftables->port_id());
  if (!monitor) return tl::make_unexpected(monitor.error());
  monitor_.emplace(*std::move(monitor));
  boost::system::error_code failed;
  monitor_fd_.assign(monitor_->fd(), failed);
  if (failed) return netlink::failure(failed.value(), "watch the ruleset");
  return {};
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
  pulse_.beat(Pulse::Clock::now());
  beat_timer_.expires_after(Pulse::kBeatInterval);
  beat_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) beat();
  });
}

void KernelWorker::begin_long_work(std::size_t services) { pulse_.beat(Pulse::Clock::now(), services * kObjectsPerService); }

Result<dataplane::Applied> KernelWorker::apply(const service::StateChange& change) {
  begin_long_work(services_looked_at(change));
  const auto whole = with_ports(change);
  auto applied = applier_.apply(deal(whole));
  beat();
  if (!applied) {
    ports_.dropped();
    balancer_.take_back(service::inverse(whole, wanted_));
    if (applied_) repair();  // else there is nothing of this daemon's yet, and what an earlier one left goes on serving
    return applied;
  }
  ports_.applied();
  applied_ = true;
  follow(change);
  service::make_change(wanted_, change);
  watch_unseen();
  settle_evictions();
  evictions_.set_services(wanted_.services);
  return applied;
}

/// What depends on single backends.
void KernelWorker::follow(const service::StateChange& change) {
  if (numbers_.follow(change, wanted_)) {
    collector_.rebook();
    collector_.look_soon();
  }
  if (replicator_) replicator_->follow(change, wanted_);
  decltype(emptying_) emptied;
  for (const auto& [name, next] : change.services) {
    const auto present = wanted_.services.find(name);
    if (present == wanted_.services.end()) continue;
    for (const auto& backend : present->second.backends) {
      drains_.erase(backend.id);
      emptied.insert(emptying_.extract(backend.id));
      collector_.set_idle_timeout(backend.id, std::chrono::milliseconds(0));
    }
  }
  for (const auto& [name, next] : change.services) {
    if (!next) continue;
    for (const auto& backend : next->backends) {
      if (backend.evict > 0) drains_.emplace(backend.id, backend.evict);
      if (next->protocol == netlink::Protocol::kTcp) collector_.set_idle_timeout(backend.id, next->idle_timeout);
      if (backend.share_weight > 0 || emptying_.insert(emptied.extract(backend.id)).inserted) continue;
      emptying_.emplace(backend.id,
                        balance::Emptying{std::chrono::steady_clock::now(), collector_.counter().backend(backend.id).connections});
    }
  }
}

void KernelWorker::watch_unseen() { collector_.set_unseen_limit(wanted_.fewest_ports() / kUnseenPart + 1); }

netlink::nft::Transaction KernelWorker::preview(const service::StateChange& change) {
  begin_long_work(services_looked_at(change));
  const auto whole = with_ports(change);
  auto transaction = applier_.preview(deal(whole));
  ports_.dropped();
  balancer_.take_back(service::inverse(whole, wanted_));
  beat();
  return transaction;
}

/// And with the services whose ports have to be dealt anew because their pool is another one.
service::StateChange KernelWorker::with_ports(service::StateChange change) const {
  for (const auto& name : ports_.services_of(change.pools)) change.services.try_emplace(name, wanted_.services.at(name));
  return change;
}

/// The ports first: how many are free goes into the shares.
service::StateChange KernelWorker::deal(service::StateChange change) {
  ports_.deal_all(change);
  return balancer_.deal(std::move(change));
}

/// To make the change.
std::size_t KernelWorker::services_looked_at(const service::StateChange& change) const {
  const bool all = !change.pools.empty() || !applier_.in_sync();
  return change.services.size() + (all ? wanted_.services.size() : 0);
}

Result<void> KernelWorker::set_gate(service::Gate gate) {
  standby_ = gate == service::Gate::kStandby;
  listen();
  settle_evictions();
  if (!standby_) boost::asio::post(io_, [this] { collector_.tell_counts(); });
  if (!applied_) {
    applier_.note_gate(gate);
    return {};
  }
  const auto applied = applier_.apply_gate(gate);
  if (applied) return {};
  applier_.note_gate(gate);  // the whole table is put right with this gate, at once or as soon as it can be
  repair();
  return tl::make_unexpected(applied.error());
}

/// A standby's connections are the active's.
void KernelWorker::settle_evictions() {
  const bool serves = active_ && !standby_;
  evictions_.set_drains(serves ? drains_ : Evictions::Rates{});
  if (!serves) evictions_.end_rebalances();
}

void KernelWorker::set_active(bool active) {
  active_ = active;
  listen();
  settle_evictions();
  collector_.set_timers(active ? flows::Collector::Timers::kRun : flows::Collector::Timers::kHold);
  collector_.look_soon();
}

Result<void> KernelWorker::catch_up() {
  auto caught_up = collector_.catch_up();
  if (replicator_) replicator_->pass_on();
  return caught_up;
}

/// What a standby's kernel has to tell of its entries is what this node has just done to them.
void KernelWorker::listen() { collector_.listen(active_ || !standby_); }

/// Who had to make room for a copy is not known: the table tells.
void KernelWorker::count_copies() {
  if (collector_.listening()) return;
  copies_counted_.wake(PacedTimer::Clock::now());
  const auto clashes = replicator_->stats().clashes;
  if (std::exchange(clashes_, clashes) != clashes) collector_.look_soon();
}

void KernelWorker::failed(const netlink::Error& error) {
  log::error("shares-not-applied", "error=\"{}\"", error.message());
  repair();
}

balance::LiveCount KernelWorker::live_count(service::BackendId backend) const {
  const auto count = collector_.counter().backend(backend);
  return {count.connections, count.started, ports_.free_ports(backend)};
}

void KernelWorker::watch_table() {
  if (!monitor_) return;
  monitor_fd_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& failed) {
    if (failed) return;
    const auto changes = monitor_->drain();
    if (!changes || changes->overrun || changes->foreign_change) {
      foreign_ = true;
      repair();
    }
    watch_table();
  });
}

void KernelWorker::repair() {
  begin_long_work(2 * wanted_.services.size());
  const auto repaired = applier_.repair();
  beat();
  if (!repaired) {
    const auto failure = repaired.error().message();
    if (failure != repair_failure_ || repair_pause_ == kLongestRepairRetry)
      log::error("ruleset-repair-failed", "error=\"{}\"", failure);
    repair_failure_ = failure;
    repair_timer_.expires_after(repair_pause_);
    repair_pause_ = std::min(2 * repair_pause_, kLongestRepairRetry);
    repair_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) repair();
    });
    return;
  }
  repair_pause_ = kRepairRetry;
  repair_failure_.clear();
  const bool foreign = std::exchange(foreign_, false);
  if (repaired->objects == 0) return;
  ++repairs_;
  callbacks_.on_repaired(fmt::format("{} table inet {}; {} put right in {} us",
                                     foreign ? "somebody else changed" : "a change was made only in part of", dataplane::kTableName,
                                     util::counted(repaired->objects, "object", "objects"), repaired->duration.count()));
}

KernelCounts KernelWorker::counts() {
  KernelCounts counts;
  for (const auto id : collector_.counter().live_backends()) {
    counts.backends[id] = collector_.counter().backend(id);
    counts.rates[id] = collector_.rate(id);
  }
  for (const auto& [name, service] : applier_.state().services) {
    for (const auto& backend : service.backends) {
      counts.shares[backend.id] = service.share_of(backend);
      if (const auto free = ports_.free_ports(backend.id)) counts.free_ports[backend.id] = *free;
    }
    if (const auto full = ports_.full_in(name)) counts.full_in[name] = *full;
  }
  counts.emptying = emptying_;
  counts.pairs = collector_.counter().pairs();
  if (auto counters = parts_.nftables->read_counters(dataplane::kTableName)) counts.counters = std::move(*counters);
  counts.collector = collector_.stats();
  counts.ruleset_in_sync = applier_.in_sync();
  counts.ruleset_repairs = repairs_;
  return counts;
}

std::map<service::BackendId, health::Openings> KernelWorker::openings() {
  std::map<service::BackendId, health::Openings> openings;
  const auto counters = parts_.nftables->read_counters(dataplane::kTableName);
  if (!counters) return openings;
  for (const auto& [name, service] : applier_.state().services) {
    if (service.protocol != netlink::Protocol::kTcp) continue;
    for (const auto& backend : service.backends) {
      const auto sent = counters->find(dataplane::names::backend_counter(service, backend));
      if (sent != counters->end()) openings[backend.id] = {sent->second.packets, collector_.counter().backend(backend.id).started};
    }
  }
  return openings;
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
