#include "daemon/runtime/app.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/config/changes.h"
#include "daemon/config/load.h"
#include "daemon/flows/idle.h"
#include "daemon/runtime/status.h"
#include "daemon/util/ask.h"
#include "daemon/util/log.h"
#include "daemon/util/notify.h"

namespace wsl4::runtime {

namespace asio = boost::asio;
using control::Outcome;
using control::Refusal;

namespace {

constexpr std::chrono::seconds kTendInterval{1};
constexpr const char* kEstablishedSysctl = "net/netfilter/nf_conntrack_tcp_timeout_established";

std::string kernel_release() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "unknown";
}

flows::IdleTimeouts idle_timeouts(const config::Config& config, const service::DesiredState& desired) {
  flows::IdleTimeouts timeouts;
  for (const auto& service : config.services) {
    if (service.idle_timeout.count() == 0 || service.protocol != netlink::Protocol::kTcp) continue;
    for (const auto& backend : desired.services.at(service.name).backends) timeouts[backend.id] = service.idle_timeout;
  }
  return timeouts;
}

std::uint64_t number_in(host::Sysctls& sysctls, const std::string& name) {
  const auto text = sysctls.read(name);
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

std::vector<service::KnownBackend> to_known(const std::vector<dataplane::AdoptedBackend>& adopted) {
  std::vector<service::KnownBackend> known;
  known.reserve(adopted.size());
  for (const auto& backend : adopted) known.push_back({backend.service, {backend.name, backend.address, backend.id, 0, 0}});
  return known;
}

/// What takes effect at the next start only (config::restart_changes) stays as it runs.
config::Config with_restart_settings_of(const config::Config& running, config::Config loaded) {
  loaded.control = running.control;
  loaded.node.state_dir = running.node.state_dir;
  loaded.node.ct_mark_mask = running.node.ct_mark_mask;
  return loaded;
}

/// Backends of flows whose table somebody removed while no daemon ran: told by the flows themselves.
void add_from_flows(std::vector<service::KnownBackend>& known, const std::vector<BorneNumber>& numbers,
                    const config::Config& config) {
  for (const auto& number : numbers) {
    if (std::ranges::any_of(known, [&number](const auto& entry) { return entry.backend.id == number.id; })) continue;
    const auto service = std::ranges::find_if(config.services, [&number](const config::Service& candidate) {
      return candidate.protocol == number.protocol && std::ranges::find(candidate.listen, number.vip) != candidate.listen.end();
    });
    if (service == config.services.end()) continue;
    known.push_back({service->name, {number.backend.to_string(), number.backend, number.id, 0, 0}});
  }
}

tl::unexpected<Refusal> refused(int http_status, std::string title, std::vector<std::string> details = {}) {
  return tl::make_unexpected(Refusal{http_status, std::move(title), std::move(details)});
}

}  // namespace

App::App(std::string config_path, config::Config config)
    : config_path_(std::move(config_path)),
      config_(std::move(config)),
      features_(host::features_of(host::KernelVersion::running())),
      store_(config_.node.state_dir),
      resolver_(service::MarkLayout(config_.node.ct_mark_mask), {features_.owned_tables, !features_.steady_lookups}) {}

App::~App() = default;

// ---- start ----------------------------------------------------------------------------------------------------

tl::expected<void, std::string> App::start() {
  if (!features_.supported)
    return tl::make_unexpected(fmt::format("kernel {} is too old: wsl4 needs 6.1 or newer", kernel_release()));
  auto server = control::start_server(io_, {config_.control.socket, config_.control.listen}, *this);
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
  auto kernel = KernelWorker::open(
      service::MarkLayout(config_.node.ct_mark_mask), [this] { return established_timeout(); }, std::move(callbacks));
  if (!kernel) {
    const bool not_allowed = kernel.error().code == EPERM;
    return tl::make_unexpected(kernel.error().message() + (not_allowed ? " (wsl4d needs CAP_NET_ADMIN and CAP_NET_RAW)" : ""));
  }
  kernel_ = std::move(*kernel);
  auto rtnl = netlink::rtnl::open_rtnl();
  if (!rtnl) return tl::make_unexpected(rtnl.error().message());
  rtnl_ = std::move(*rtnl);
  auto announcer = netlink::rtnl::open_announcer();
  if (!announcer) return tl::make_unexpected(announcer.error().message());
  announcer_ = std::move(*announcer);

  set_sysctls(config_);
  if (auto applied = adopt_and_apply(); !applied) return applied;
  addresses_ = std::make_unique<addresses::Manager>(*rtnl_, *announcer_);
  place_addresses({});
  return {};
}

/// Writes before anything is changed, so that a read-only state directory is found out while nothing has happened.
tl::expected<void, std::string> App::open_state() {
  std::error_code failed;
  std::filesystem::create_directories(config_.node.state_dir, failed);
  if (failed)
    return tl::make_unexpected(fmt::format("node.state_dir: cannot create {}: {}", config_.node.state_dir, failed.message()));
  auto state = store_.load();
  if (!state) return tl::make_unexpected(state.error());
  state_ = std::move(*state);
  return store_.save(state_).map_error([](const std::string& why) { return "node.state_dir: " + why; });
}

void App::set_sysctls(const config::Config& config) {
  const auto wanted = host::wanted_sysctls(config);
  auto next = state_;
  for (const auto& [name, value] : wanted) {
    const auto present = sysctls_->read(name);
    if (present && *present != value) next.note_change(name, *present, value);
  }
  sysctl_problems_.clear();
  if (next != state_) {
    if (const auto saved = store_.save(next); !saved) {
      sysctl_problems_.push_back(saved.error());
      return;
    }
    state_ = std::move(next);
  }
  sysctl_problems_ = host::apply_sysctls(*sysctls_, wanted).failures;
  for (const auto& problem : sysctl_problems_) log::error("sysctl-not-set", "error=\"{}\"", problem);
}

tl::expected<void, std::string> App::adopt_and_apply() {
  auto adopted = kernel_->adopt();
  if (!adopted) return tl::make_unexpected(adopted.error().message());
  const auto numbers = kernel_->borne_numbers();
  if (!numbers) return tl::make_unexpected(numbers.error().message());
  auto known = to_known(*adopted);
  add_from_flows(known, *numbers, config_);
  resolver_.adopt(known, kernel_->collector().counter().live_backends());
  auto desired = resolver_.resolve(config_);
  if (!desired) return tl::make_unexpected(desired.error());
  const auto applied = kernel_->apply(*desired, idle_timeouts(config_, *desired));
  if (!applied) return tl::make_unexpected(applied.error().message());
  desired_ = std::move(*desired);
  const auto flows = kernel_->collector().counter().size();
  events_.add("started", fmt::format("{} services, {} known backends and {} flows adopted, {} objects changed in {} us",
                                     desired_.services.size(), known.size(), flows, applied->objects, applied->duration.count()));
  return {};
}

void App::place_addresses(const std::set<netlink::IpAddress>& idle) {
  if (!config_.addresses.manage) return;
  const auto result = addresses_->reconcile(addresses::wanted_addresses(config_), idle);
  if (!result.added.empty())
    events_.add("addresses-added", fmt::format("{} addresses, first {}", result.added.size(), result.added.front().to_string()));
  if (!result.removed.empty()) {
    events_.add("addresses-removed",
                fmt::format("{} addresses, first {}", result.removed.size(), result.removed.front().to_string()));
  }
  if (result.problems != address_problems_) {
    for (const auto& problem : result.problems) log::error("address-problem", "error=\"{}\"", problem);
  }
  address_problems_ = result.problems;
}

// ---- run ------------------------------------------------------------------------------------------------------

void App::run() {
  kernel_->run();
  ready_ = true;
  watch_signals();
  feed_watchdog();
  asio::co_spawn(io_, tend(), asio::detached);
  notify::ready(fmt::format("{} services", config_.services.size()));
  io_.run();
  ready_ = false;
  notify::stopping();
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
    server_->stop();
    io_.stop();
  });
}

asio::awaitable<void> App::reload_on_signal() {
  const auto report = co_await reload(false);
  if (report) co_return;
  log::error("reload-failed", "error=\"{}\"", report.error().title);
  for (const auto& detail : report.error().details) log::error("reload-failed", "error=\"{}\"", detail);
}

/// A hung kernel thread ends the feeding as much as a hung control thread does.
void App::feed_watchdog() {
  const auto interval = notify::watchdog_interval();
  if (!interval) return;
  if (kernel_->is_alive()) notify::watchdog();
  watchdog_timer_.expires_after(*interval / 4);
  watchdog_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) feed_watchdog();
  });
}

/// Once a second: addresses that somebody took away come back, announcements are repeated, ended backends are forgotten.
asio::awaitable<void> App::tend() {
  for (;;) {
    tend_timer_.expires_after(kTendInterval);
    co_await tend_timer_.async_wait(asio::use_awaitable);
    const auto held = co_await changing_.acquire();
    co_await drop_drained();
    auto question = [this, leftover = addresses_->leftover()] {
      std::set<netlink::IpAddress> idle;
      for (const auto& address : leftover) {
        if (kernel_->collector().counter().held_by_address(address) == 0) idle.insert(address);
      }
      return idle;
    };
    const auto idle = co_await util::ask(kernel_->io(), std::move(question));
    place_addresses(idle);
  }
}

asio::awaitable<void> App::drop_drained() {
  auto question = [this] {
    return std::pair(kernel_->collector().counter().live_backends(), kernel_->collector().stats().resyncs);
  };
  const auto [live, resyncs] = co_await util::ask(kernel_->io(), std::move(question));
  const std::set<service::BackendId> alive(live.begin(), live.end());
  if (!resolver_.forget_drained([&alive](service::BackendId id) { return alive.contains(id); }, resyncs)) co_return;
  auto same = config_;
  const auto applied = co_await apply_new(std::move(same));
  if (applied) {
    events_.add("backends-drained", "backends that had left the configuration have no flow any more and are forgotten");
  } else {
    log::error("apply-failed", "error=\"{}\"", applied.error().title);
  }
}

// ---- requests ---------------------------------------------------------------------------------------------------

asio::awaitable<Outcome<control::ReloadReport>> App::reload(bool dry_run) {
  auto loaded = config::load(config_path_);
  if (!loaded) {
    std::vector<std::string> problems;
    for (const auto& problem : loaded.error()) problems.push_back(problem.message());
    co_return refused(
        422, fmt::format("the configuration has {} error{}; nothing was changed", problems.size(), problems.size() == 1 ? "" : "s"),
        problems);
  }
  const auto held = co_await changing_.acquire();
  control::ReloadReport report;
  for (const auto& key : config::restart_changes(config_, *loaded)) {
    report.warnings.push_back(fmt::format("{} changed: it takes effect when wsl4d is restarted", key));
  }
  auto next = with_restart_settings_of(config_, std::move(*loaded));
  if (dry_run) {
    auto text = co_await preview_new(next);
    if (!text) co_return tl::make_unexpected(text.error());
    report.changed = !text->empty();
    report.nft_text = std::move(*text);
    co_return report;
  }
  notify::reloading();
  const auto changed = co_await apply_new(std::move(next));
  notify::ready(fmt::format("{} services", config_.services.size()));
  if (!changed) co_return tl::make_unexpected(changed.error());
  report.changed = *changed;
  events_.add("reloaded", *changed ? fmt::format("{} services", desired_.services.size()) : "nothing changed in the kernel");
  co_return report;
}

asio::awaitable<Outcome<std::string>> App::preview_new(const config::Config& next) {
  auto resolver = resolver_;
  const auto desired = resolver.resolve(next);
  if (!desired) co_return refused(422, desired.error());
  auto preview = [this, &desired = *desired] { return kernel_->preview(desired).to_text(); };
  co_return co_await util::ask(kernel_->io(), std::move(preview));
}

asio::awaitable<Outcome<bool>> App::apply_new(config::Config next) {
  auto resolver = resolver_;
  auto desired = resolver.resolve(next);
  if (!desired) co_return refused(422, desired.error());
  set_sysctls(next);
  auto work = [this, &desired = *desired, timeouts = idle_timeouts(next, *desired)]() mutable {
    return kernel_->apply(desired, std::move(timeouts));
  };
  const auto applied = co_await util::ask(kernel_->io(), std::move(work));
  if (!applied)
    co_return refused(500, fmt::format("the kernel refused the change; the old state goes on: {}", applied.error().message()));
  log::info("applied", "objects={} us={}", applied->objects, applied->duration.count());
  resolver_ = std::move(resolver);
  desired_ = std::move(*desired);
  config_ = std::move(next);
  log::set_level(config_.node.log_level);
  place_addresses({});  // the next tending asks the counts before it takes any away
  co_return applied->objects != 0;
}

asio::awaitable<Outcome<control::Status>> App::status() {
  auto question = [this] { return kernel_->counts(); };
  const auto counts = co_await util::ask(kernel_->io(), std::move(question));
  control::Status status;
  status.version = WSL4_VERSION;
  status.node_name = config_.node.name;
  status.role = ready_ ? "active" : "init";
  status.role_since = started_at_;
  status.uptime = std::chrono::duration_cast<std::chrono::seconds>(control::WallClock::now() - started_at_);
  status.kernel_release = kernel_release();
  status.conntrack_count = number_in(*sysctls_, "net/netfilter/nf_conntrack_count");
  status.conntrack_max = number_in(*sysctls_, "net/netfilter/nf_conntrack_max");
  status.warnings = warnings();
  describe_services(status, desired_, counts);
  co_return status;
}

std::vector<std::string> App::warnings() const {
  auto warnings = sysctl_problems_;
  warnings.insert(warnings.end(), address_problems_.begin(), address_problems_.end());
  return warnings;
}

asio::awaitable<Outcome<std::vector<control::FlowView>>> App::flows(control::FlowQuery query) {
  std::vector<control::FlowView> views;
  const auto names = backend_names(desired_);
  const auto now = control::WallClock::now();
  const service::MarkLayout mark(config_.node.ct_mark_mask);
  const auto sink = [&](const netlink::conntrack::Flow& flow) {
    const auto place = names.find(mark.to_id(flow.mark));
    const BackendName backend = place == names.end() ? BackendName{} : place->second;
    if (matches(query, flow, backend)) views.push_back(to_view(flow, backend, now));
    return query.limit == 0 || views.size() < query.limit;
  };
  auto visit = kernel_->visit_flows(sink);
  const auto visited = co_await asio::co_spawn(kernel_->io(), std::move(visit), asio::use_awaitable);
  if (!visited) co_return refused(500, visited.error().message());
  co_return views;
}

asio::awaitable<Outcome<std::vector<control::NodeEvent>>> App::events(std::uint64_t after, std::chrono::milliseconds wait) {
  co_return co_await events_.after(after, wait);
}

std::chrono::seconds App::established_timeout() const { return std::chrono::seconds(number_in(*sysctls_, kEstablishedSysctl)); }

}  // namespace wsl4::runtime
