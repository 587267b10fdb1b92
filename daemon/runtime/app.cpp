#include "daemon/runtime/app.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/config/changes.h"
#include "daemon/runtime/refused.h"
#include "daemon/service/layers.h"
#include "daemon/util/ask.h"
#include "daemon/util/counted.h"
#include "daemon/util/log.h"
#include "daemon/util/notify.h"
#include "daemon/util/signals.h"

namespace wsl4::runtime {

namespace asio = boost::asio;
using control::Outcome;
using control::Refusal;

namespace {

constexpr std::chrono::seconds kTendInterval{1};
constexpr std::chrono::seconds kFinishLimit{1};
/// For the hook of the role that a stop has changed; with what a hand-over takes it is less than the unit's TimeoutStopSec.
constexpr std::chrono::seconds kHookLimit{5};

service::DesiredState no_services(const config::Config& config, const host::KernelFeatures& features) {
  service::DesiredState state;
  state.mark = service::MarkLayout(config.node.ct_mark_mask);
  state.owned_table = features.owned_tables;
  state.double_dnat = !features.steady_lookups;
  return state;
}

std::vector<service::KnownBackend> to_known(const std::vector<dataplane::AdoptedBackend>& adopted) {
  std::vector<service::KnownBackend> known;
  known.reserve(adopted.size());
  for (const auto& backend : adopted) known.push_back({backend.service, {backend.name, backend.address, backend.id, 0, 0}});
  return known;
}

/// Backends of flows whose table somebody removed while no daemon ran: told by the flows themselves.
void add_from_flows(std::vector<service::KnownBackend>& known, const std::vector<BorneNumber>& numbers,
                    const config::Config& config) {
  std::set<service::BackendId> ids;
  for (const auto& entry : known) ids.insert(entry.backend.id);
  for (const auto& number : numbers) {
    if (ids.contains(number.id)) continue;
    const auto* service = service::find_listening(config, number.protocol, number.vip);
    if (service == nullptr) continue;
    known.push_back({service->name, {number.backend.to_string(), number.backend, number.id, 0, 0}});
  }
}

tl::unexpected<std::string> cannot_open(const netlink::Error& error) {
  const auto missing = host::missing_capabilities();
  if (error.code != EPERM || missing.empty()) return tl::make_unexpected(error.message());
  return tl::make_unexpected(
      fmt::format("{}: wsl4d lacks {} (the unit's AmbientCapabilities=)", error.message(), fmt::join(missing, " and ")));
}

}  // namespace

App::App(std::string config_path, config::Config config)
    : config_path_(std::move(config_path)),
      wanted_{std::make_shared<const config::Config>(std::move(config)), {}},
      features_(host::features_of(host::KernelVersion::running())),
      store_(wanted_.file->node.state_dir),
      assembler_(no_services(*wanted_.file, features_)) {}

/// The pair's thread asks the kernel's, which is gone first.
App::~App() {
  if (pair_) pair_->join();
}

// ---- start ----------------------------------------------------------------------------------------------------

tl::expected<void, std::string> App::start() {
  if (!features_.supported)
    return tl::make_unexpected(fmt::format("kernel {} is too old: wsl4 needs 6.1 or newer", host::kernel_release()));
  auto server = control::start_server(io_, {wanted_.file->control.socket, wanted_.file->control.listen}, *this);
  if (!server) return tl::make_unexpected(server.error());
  server_ = std::move(*server);
  if (auto opened = open_state(); !opened) return opened;

  KernelCallbacks callbacks;
  callbacks.on_repaired = [this](std::string detail) {
    asio::post(io_, [this, detail = std::move(detail)]() mutable { events_.add("ruleset-repaired", std::move(detail)); });
  };
  callbacks.on_overrun = [this] {
    asio::post(io_, [this] {
      events_.add("conntrack-overrun", "conntrack events were lost; the counts are taken anew from the kernel's table");
    });
  };
  callbacks.on_rebalanced = [this](std::string service, std::string why) {
    asio::post(io_, [this, service = std::move(service), why = std::move(why)]() mutable {
      events_.add("rebalance-ended", std::move(why), std::move(service));
    });
  };
  if (wanted_.file->ha) {
    if (auto opened = open_pair(callbacks); !opened) return opened;
  }
  auto kernel = KernelWorker::open(
      assembler_.desired(), [this] { return established_timeout(); }, std::move(callbacks));
  if (!kernel) return cannot_open(kernel.error());
  kernel_ = std::move(*kernel);
  if (pair_) {
    pair_->attach(*kernel_);
    pair_->run();
  } else if (auto opened = open_addresses(); !opened) {
    return opened;
  }
  auto listener = joining_.prepare(*wanted_.file);
  if (!listener) return tl::make_unexpected(listener.error().front());
  const auto old_values = set_sysctls(*wanted_.file);
  kernel_->set_timeout_history(state_.timeouts);
  auto serving = adopt_and_apply();
  if (serving) {
    start_health();
    if (pair_) serving = begin_pair();
  }
  if (!serving) {
    host::apply_sysctls(*sysctls_, old_values);
    return serving;
  }
  if (addresses_) {
    place_addresses({});
    addresses_->place_all();
  }
  named_files_ = read_named_files(*wanted_.file);
  joining_.start(std::move(*listener));
  return {};
}

tl::expected<void, std::string> App::open_addresses() {
  auto rtnl = netlink::rtnl::open_rtnl();
  if (!rtnl) return cannot_open(rtnl.error());
  rtnl_ = std::move(*rtnl);
  auto announcer = netlink::rtnl::open_announcer();
  if (!announcer) return cannot_open(announcer.error());
  announcer_ = std::move(*announcer);
  addresses_.emplace(io_, *rtnl_, *announcer_, *sysctls_, std::nullopt, moving_addresses(),
                     [this](std::string name, std::string detail) { events_.add(std::move(name), std::move(detail)); });
  return {};
}

tl::expected<void, std::string> App::adopt_and_apply() {
  auto adopted = kernel_->adopt();
  if (!adopted) return tl::make_unexpected(adopted.error().message());
  const auto numbers = kernel_->borne_numbers();
  if (!numbers) return tl::make_unexpected(numbers.error().message());
  if (pair_) {
    // As it stood before, until a role is known.
    if (auto gate = kernel_->set_gate(kernel_->found_gate().value_or(service::Gate::kStandby)); !gate)
      return tl::make_unexpected(gate.error().message());
  }
  auto known = to_known(*adopted);
  add_from_flows(known, *numbers, *wanted_.file);
  assembler_.adopt(known, kernel_->collector().counter().live_backends(), state_.newcomers);
  Names all;
  for (const auto& service : wanted_.file->services) all.insert(service.name);
  for (const auto& [service, changes] : wanted_.overlay.changes()) all.insert(service);
  auto drafted = draft(wanted_, all);
  if (!drafted) return tl::make_unexpected(drafted.error());
  const auto applied = kernel_->apply(drafted->change);
  if (!applied) return tl::make_unexpected(applied.error().message());
  accept(wanted_, *std::move(drafted));
  lasting_addresses_.configure(addresses::wanted_addresses(*wanted_.file));
  if (auto settled = settle_mask(); !settled) return settled;
  const auto flows = kernel_->collector().counter().size();
  events_.add("started",
              fmt::format("{}, {} and {} adopted, {} changed in {} us",
                          util::counted(assembler_.desired().services.size(), "service", "services"),
                          util::counted(known.size(), "known backend", "known backends"), util::counted(flows, "flow", "flows"),
                          util::counted(applied->objects, "object", "objects"), applied->duration.count()));
  return {};
}

/// node.ct_mark_mask may be another one than that of the daemon before.
tl::expected<void, std::string> App::settle_mask() {
  const auto mask = wanted_.file->node.ct_mark_mask;
  if (state_.mark_mask == mask) return {};
  if (state_.mark_mask != 0) {
    if (const auto set = kernel_->rebook(state_.mark_mask); !set) return tl::make_unexpected(set.error().message());
  }
  state_.mark_mask = mask;
  files_.keep(store_.path(), {store_.text(state_)});
  return {};
}

// ---- run ------------------------------------------------------------------------------------------------------

void App::run() {
  kernel_->run();
  ready_ = !pair_;
  watch_signals();
  util::take_signals();
  feed_watchdog();
  asio::co_spawn(io_, tend(), asio::detached);
  notify::ready(util::counted(wanted_.file->services.size(), "service", "services"));
  io_.run();
  ready_ = false;
  notify::stopping();
  if (pair_) pair_->join();
  kernel_->stop();
  log::info("stopped", "detail=\"the kernel goes on forwarding\"");
}

void App::watch_signals() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.add(SIGHUP);
  signals_.async_wait([this](const boost::system::error_code& failed, int signal) {
    if (failed) return;
    if (signal == SIGHUP) {
      asio::co_spawn(io_, reload_on_signal(), asio::detached);
      watch_signals();
      return;
    }
    asio::co_spawn(io_, finish(), asio::detached);
  });
}

/// Requests in progress are answered, within bounds.
asio::awaitable<void> App::finish() {
  server_->stop();
  joining_.stop();
  if (pair_) {
    auto left = leave_pair();
    co_await std::move(left);
  }
  events_.add("stopping", "asked to by a signal");  // answers those who wait for events
  auto answered = comes_true([this] { return !server_->busy(); }, kFinishLimit);
  co_await std::move(answered);
  auto written = comes_true([this] { return !files_.busy(); }, util::FileWriter::kPatience);
  co_await std::move(written);
  auto told = comes_true([this] { return !hooks_.busy(); }, kHookLimit);  // systemd ends what a service leaves behind
  co_await std::move(told);
  io_.stop();
}

asio::awaitable<void> App::reload_on_signal() {
  const auto report = co_await reload(false);
  if (report) {
    for (const auto& warning : report->warnings) log::warning("reloaded", "detail=\"{}\"", warning);
    co_return;
  }
  log::error("reload-failed", "error=\"{}\"", report.error().title);
  for (const auto& detail : report.error().details) log::error("reload-failed", "error=\"{}\"", detail);
}

bool App::alive() const { return kernel_ && kernel_->is_alive() && (!pair_ || pair_->is_alive()); }

/// A hung control thread does not feed; of a hung kernel thread systemd is told. Both end the daemon within 2 s.
void App::feed_watchdog() {
  const auto interval = notify::watchdog_interval();
  if (!interval) return;
  if (alive()) {
    notify::watchdog();
  } else {
    log::error("thread-hangs", "detail=\"systemd is asked to end the daemon\"");
    notify::watchdog_trigger();
  }
  watchdog_timer_.expires_after(std::min<std::chrono::microseconds>(*interval / 4, Pulse::kLookInterval));
  watchdog_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) feed_watchdog();
  });
}

/// Once a second: addresses that somebody took away come back, announcements are repeated, ended backends are forgotten, what the
/// kernel refused is tried again.
asio::awaitable<void> App::tend() {
  for (;;) {
    tend_timer_.expires_after(kTendInterval);
    co_await tend_timer_.async_wait(asio::use_awaitable);
    const auto held = co_await changing_.acquire();
    watch_sysctls();
    if (pair_) co_await follow_again();
    if (pair_) co_await age_verdicts();
    co_await drop_drained();
    co_await joining_.tend();
    const auto now = control::WallClock::now();
    const bool set_back = now < std::exchange(tended_at_, now);  // then slow starts begin now
    if (health_->has_open_cases() || !touched_.empty() || set_back) co_await apply_again();
    std::set<netlink::IpAddress> surplus;
    if (pair_) {
      surplus = co_await pair_->leftover();
    } else {
      surplus = addresses_->leftover();
    }
    auto question = [this, &surplus, fewest = fewest_tight()] {
      std::set<netlink::IpAddress> idle;
      for (const auto& address : surplus) {
        if (kernel_->collector().counter().held_by_address(address) == 0) idle.insert(address);
      }
      const auto& counter = kernel_->collector().counter();
      auto used = pair_ ? counter.held_addresses() : std::set<netlink::IpAddress>{};
      return std::tuple(std::move(idle), std::move(used), counter.port_use(fewest));
    };
    const auto [idle, in_use, uses] = co_await util::ask(kernel_->io(), std::move(question));
    if (pair_) lasting_addresses_.note_use(in_use, surplus);
    place_addresses(idle);
    note_tight(uses);
    co_await suspect();
  }
}

asio::awaitable<void> App::drop_drained() {
  auto question = [this, leaving = assembler_.resolver().leaving()] {
    std::set<service::BackendId> alive;
    for (const auto id : leaving)
      if (kernel_->collector().counter().backend(id).held != 0) alive.insert(id);
    return std::pair(std::move(alive), kernel_->collector().stats().resyncs);
  };
  const auto [alive, resyncs] = co_await util::ask(kernel_->io(), std::move(question));
  auto forgotten = assembler_.forget_drained([&alive = alive](service::BackendId id) { return alive.contains(id); }, resyncs);
  if (forgotten.empty()) co_return;
  tell_gone();
  auto pending = apply_settled(wanted_.file, std::move(forgotten));
  const auto applied = co_await std::move(pending);
  if (applied) {
    events_.add("backends-drained", "backends that had left the configuration have no flow any more and are forgotten");
  } else {
    log::error("apply-failed", "error=\"{}\"", applied.error().title);
  }
}

// ---- change ---------------------------------------------------------------------------------------------------------

tl::expected<service::Assembler::Draft, std::string> App::draft(const Wanted& wanted, const Names& touched) const {
  const auto verdicts = [this](const std::string& service) { return health_ ? health_->verdicts(service) : service::Verdicts{}; };
  return assembler_.draft({*wanted.file, wanted.overlay, verdicts, control::WallClock::now()}, touched);
}

App::Names App::touched_by(const config::Config& next) const {
  auto touched = config::changed_services(*wanted_.file, next);
  for (const auto& [service, changes] : wanted_.overlay.changes()) touched.insert(service);
  return touched;
}

void App::accept(Wanted wanted, service::Assembler::Draft draft) {
  const bool other_file = wanted.file != wanted_.file;
  const bool other_pools = !draft.change.pools.empty();
  Names looked_at;
  for (const auto& [service, laid] : draft.laid) looked_at.insert(looked_at.end(), service);
  wanted_ = std::move(wanted);
  assembler_.accept(std::move(draft));
  keep_newcomers();
  log::set_level(wanted_.file->node.log_level);
  if (health_ && other_pools) health_->pools_changed();
  if (health_) watch_health(std::move(looked_at));
  if (!other_file) return;
  if (pair_) pair_->set_priority(wanted_.file->ha->priority);
  if (pair_) lasting_addresses_.configure(addresses::wanted_addresses(*wanted_.file));
  place_addresses({});  // the next tending asks the counts before it takes any away
}

asio::awaitable<Outcome<std::string>> App::preview_new(std::shared_ptr<const config::Config> next) {
  auto touched = touched_by(*next);
  touched.insert(touched_.begin(), touched_.end());
  auto drafted = draft({std::move(next), wanted_.overlay}, touched);
  if (!drafted) co_return refused(422, drafted.error());
  auto preview = [this, change = std::move(drafted->change)] { return kernel_->preview(change).to_text(); };
  co_return co_await util::ask(kernel_->io(), std::move(preview));
}

asio::awaitable<Outcome<bool>> App::apply_new(Wanted wanted, Names touched) {
  std::map<std::string, std::string> old_values;
  if (wanted.file != wanted_.file) {
    auto changing = change_sysctls(*wanted.file);
    old_values = co_await std::move(changing);
  }
  // From here to the question nothing waits: a verdict is in the draft, or it is touched by it for the next one.
  touched.merge(touched_);
  touched_ = touched;  // until it has come true
  auto drafted = draft(wanted, touched);
  if (!drafted) {
    co_await restore_sysctls(old_values);
    co_return refused(422, drafted.error());
  }
  const auto endings = take_endings();
  touched_.clear();
  auto work = [this, &change = drafted->change, endings] {
    // Clients of a dead backend come back at once: the others are dealt for that before they do.
    for (const auto& due : endings) kernel_->expect(due.id, kernel_->collector().counter().backend(due.id).connections);
    auto applied = kernel_->apply(change);
    if (applied)
      for (const auto& due : endings) kernel_->evictions().end_all(due.id, due.tell);
    return applied;
  };
  const auto applied = co_await util::ask(kernel_->io(), std::move(work));
  if (!applied) {
    co_await restore_sysctls(old_values);
    touched_.merge(touched);
    for (const auto& due : endings) health_->give_back(due.ending);
    co_return refused(500, fmt::format("the kernel refused the change; the old state goes on: {}", applied.error().message()));
  }
  log::info("applied", "objects={} us={}", applied->objects, applied->duration.count());
  for (const auto& due : endings)
    events_.add("flows-reset", "its connections are reset, so that clients connect again", due.ending.service, due.name);
  accept(std::move(wanted), *std::move(drafted));
  co_return applied->objects != 0;
}

asio::awaitable<Outcome<bool>> App::apply_settled(std::shared_ptr<const config::Config> file, Names touched) {
  auto overlay = wanted_.overlay;
  const auto drains = [this](const std::string& service, const netlink::Endpoint& address) {
    return assembler_.resolver().is_draining(service, address);
  };
  const bool settled = overlay.settle(*file, drains);
  auto pending = apply_new({std::move(file), std::move(overlay)}, std::move(touched));
  const auto applied = co_await std::move(pending);
  if (applied && settled) keep_overlay();
  co_return applied;
}

asio::awaitable<Outcome<bool>> App::apply_again() {
  auto pending = apply_new(wanted_, {});
  co_return co_await std::move(pending);
}

asio::awaitable<Outcome<bool>> App::apply_joined(config::Config base) {
  auto touched = touched_by(base);
  auto pending = apply_new({std::make_shared<const config::Config>(std::move(base)), wanted_.overlay}, std::move(touched));
  co_return co_await std::move(pending);
}

const config::Service& App::in_effect(const std::string& service) const {
  return service::in_effect(assembler_.laid(), *service::find_service(*wanted_.file, service));
}

}  // namespace wsl4::runtime
