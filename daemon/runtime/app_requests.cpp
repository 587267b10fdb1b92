// What the control API asks of the daemon.
#include <ctime>

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/config/changes.h"
#include "daemon/config/load.h"
#include "daemon/runtime/app.h"
#include "daemon/runtime/refused.h"
#include "daemon/runtime/status.h"
#include "daemon/service/change_text.h"
#include "daemon/service/overlay_json.h"
#include "daemon/util/ask.h"
#include "daemon/util/counted.h"
#include "daemon/util/log.h"
#include "daemon/util/notify.h"

namespace wsl4::runtime {

namespace asio = boost::asio;
using control::Outcome;
using control::Refusal;

namespace {

/// What takes effect at the next start only (config::restart_changes) stays as it runs.
config::Config with_restart_settings_of(const config::Config& running, config::Config loaded) {
  loaded.control.socket = running.control.socket;
  loaded.control.listen = running.control.listen;
  loaded.node.name = running.node.name;
  loaded.node.state_dir = running.node.state_dir;
  loaded.node.ct_mark_mask = running.node.ct_mark_mask;
  if (!running.ha || !loaded.ha) {
    loaded.ha = running.ha;
    return loaded;
  }
  auto ha = *running.ha;
  ha.priority = loaded.ha->priority;
  ha.key_file = loaded.ha->key_file;
  ha.hook_active = loaded.ha->hook_active;
  ha.hook_standby = loaded.ha->hook_standby;
  loaded.ha = std::move(ha);
  return loaded;
}

std::string told_to_await_restart(const std::string& setting) {
  return fmt::format("{} changed: it takes effect when wsl4d is restarted", setting);
}

/// Microseconds since it was made: on the clock, and of the processor in this daemon, the kernel's work within its calls included.
class Stopwatch {
 public:
  [[nodiscard]] std::int64_t elapsed() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun_).count();
  }
  [[nodiscard]] std::int64_t processor() const { return processor_time() - processor_; }

 private:
  static std::int64_t processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000;
  }

  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::int64_t processor_ = processor_time();
};

int http_status_of(service::ChangeError::Kind kind) {
  switch (kind) {
    case service::ChangeError::Kind::kNotFound:
      return 404;
    case service::ChangeError::Kind::kConflict:
      return 409;
    case service::ChangeError::Kind::kBad:
      break;
  }
  return 422;
}

const service::BackendState* find_backend(const service::ServiceState& service, const std::string& name) {
  const auto backend = std::ranges::find(service.backends, name, &service::BackendState::name);
  return backend == service.backends.end() ? nullptr : &*backend;
}

}  // namespace

asio::awaitable<Outcome<control::ReloadReport>> App::reload(bool dry_run) {
  auto pending = load_again(dry_run);
  auto report = co_await std::move(pending);
  if (!report && !dry_run) {
    const auto& [status, title, details] = report.error();
    events_.add("reload-refused", details.empty() ? title : fmt::format("{}: {}", title, details.front()));
  }
  co_return report;
}

asio::awaitable<Outcome<control::ReloadReport>> App::load_again(bool dry_run) {
  const Stopwatch parsing;
  auto loaded = config::load(config_path_, control::inspect_register);
  const auto parsed = parsing.elapsed();
  if (!loaded) {
    std::vector<std::string> problems;
    for (const auto& problem : loaded.error()) problems.push_back(problem.message());
    co_return refused(
        422, fmt::format("the configuration has {} error{}; nothing was changed", problems.size(), problems.size() == 1 ? "" : "s"),
        problems);
  }
  const auto held = co_await changing_.acquire();
  const Stopwatch changing;
  control::ReloadReport report;
  auto awaits_restart = config::restart_changes(joining_.file(), *loaded);
  std::ranges::transform(awaits_restart, std::back_inserter(report.warnings), told_to_await_restart);
  if (joining_.file().addresses.manage && !loaded->addresses.manage)
    report.warnings.emplace_back(
        "addresses.manage is false now: addresses that wsl4d has put on stay until somebody takes them off");
  auto next = with_restart_settings_of(joining_.file(), std::move(*loaded));
  // The key file is read at each reload, so that keys are changed without a restart.
  std::optional<peer::Keys> keys;
  if (pair_) {
    auto read = peer::load_keys(next.ha->key_file);
    if (!read) co_return refused(422, "ha.key_file cannot be used; nothing was changed", read.error());
    keys = *std::move(read);
  }
  auto named_files = read_named_files(next);
  report.read_anew = differing(named_files_, named_files);
  foresee(next, report);
  const bool other = next != joining_.file() || !report.read_anew.empty() || !report.sysctls.empty();
  auto joined = joining_.lay(next);
  auto file = std::make_shared<const config::Config>(std::move(joined.config));
  if (dry_run) {
    auto text = co_await preview_new(file);
    if (!text) co_return tl::make_unexpected(text.error());
    report.changed = !text->empty() || other;
    report.nft_text = std::move(*text);
    co_return report;
  }
  auto listener = joining_.prepare(next);
  if (!listener) co_return refused(422, "control.register cannot be served; nothing was changed", listener.error());
  notify::reloading();
  auto touched = touched_by(*file);
  auto pending = apply_settled(std::move(file), std::move(touched));
  const auto changed = co_await std::move(pending);
  log::info("reload-took", "parse_us={} us={} cpu_us={}", parsed, changing.elapsed(), changing.processor());
  notify::ready(util::counted(wanted_.file->services.size(), "service", "services"));
  if (!changed) co_return tl::make_unexpected(changed.error());
  joining_.accept(std::move(next), joined, std::move(*listener));
  awaits_restart_ = std::move(awaits_restart);
  report.changed = *changed || other;
  if (keys) reload_pair(joining_.file(), *std::move(keys));
  named_files.merge(named_files_);  // one that is no good is in use as it was
  named_files_ = std::move(named_files);
  std::ranges::move(dormant(), std::back_inserter(report.warnings));
  std::ranges::move(joining_.strangers(), std::back_inserter(report.warnings));
  auto told = report.changed ? util::counted(assembler_.desired().services.size(), "service", "services") : "nothing changed";
  if (!report.read_anew.empty()) told += fmt::format("; read anew: {}", fmt::join(report.read_anew, ", "));
  events_.add("reloaded", std::move(told));
  co_return report;
}

asio::awaitable<Outcome<control::Status>> App::status() {
  auto question = [this] { return kernel_->counts(); };
  const auto counts = co_await util::ask(kernel_->io(), std::move(question));
  control::Status status;
  status.version = WSL4_VERSION;
  status.node_name = wanted_.file->node.name;
  status.role = pair_ ? to_string(role_) : ready_ ? "active" : "init";
  status.role_since = role_since_;
  status.uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_at_);
  status.kernel_release = host::kernel_release();
  status.conntrack_count = sysctl_number("net/netfilter/nf_conntrack_count");
  status.conntrack_max = sysctl_number("net/netfilter/nf_conntrack_max");
  status.warnings = warnings();
  std::ranges::move(dormant(), std::back_inserter(status.warnings));
  if (pair_) co_await add_pair(status);
  // From here on nothing waits: what follows refers to configurations that a reload replaces.
  const Surroundings surroundings{*wanted_.file,
                                  assembler_.laid(),
                                  health_ ? health_->snapshot() : std::vector<health::Status>{},
                                  std::chrono::steady_clock::now(),
                                  control::WallClock::now(),
                                  joining_.view(),
                                  assembler_.resolver().left()};
  describe_services(status, assembler_.desired(), surroundings, counts);
  co_return status;
}

std::vector<std::string> App::warnings() const {
  auto warnings = sysctl_problems_;
  std::ranges::transform(awaits_restart_, std::back_inserter(warnings), told_to_await_restart);
  if (addresses_) {
    std::ranges::copy(addresses_->problems(), std::back_inserter(warnings));
    std::ranges::move(addresses_->conflicts(), std::back_inserter(warnings));
  }
  std::ranges::move(joining_.warnings(), std::back_inserter(warnings));
  std::ranges::move(files_.problems(), std::back_inserter(warnings));
  return warnings;
}

std::vector<std::string> App::dormant() const {
  std::vector<std::string> sentences;
  for (const auto& [service, laid] : assembler_.laid()) sentences.insert(sentences.end(), laid.dormant.begin(), laid.dormant.end());
  return sentences;
}

asio::awaitable<Outcome<std::vector<control::FlowView>>> App::flows(control::FlowQuery query) {
  const auto held = co_await listing_.acquire();  // anyone may ask on control.listen, and the table may have millions
  std::vector<control::FlowView> views;
  const auto names = backend_names(assembler_.desired(), assembler_.resolver().left());
  if (auto unknown = unknown_name(query, names, *wanted_.file)) co_return refused(404, std::move(*unknown));
  const auto now = control::WallClock::now();
  const service::MarkLayout mark(wanted_.file->node.ct_mark_mask);
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

asio::awaitable<Outcome<control::ChangeReport>> App::change_backend(std::string service, std::string backend,
                                                                    service::BackendChange change) {
  const auto held = co_await changing_.acquire();
  if (auto refusal = refusal_of_follower()) co_return tl::make_unexpected(std::move(*refusal));
  const Stopwatch changing;
  control::ChangeReport report;
  auto overlay = wanted_.overlay;
  const auto applied = overlay.change(*wanted_.file, service, backend, change, std::chrono::steady_clock::now());
  if (!applied) {
    const auto& [kind, problems] = applied.error();
    co_return refused(http_status_of(kind), "the change was not made", problems);
  }
  report.applied = *applied;
  if (*applied < service::Applied::kChanged) {
    wanted_.overlay = std::move(overlay);
  } else {
    overlay.count_change(wanted_.file->node.name, clock_milliseconds());
    // Stored first: what has been confirmed must survive a crash.
    auto storing = store_overlay(overlay);
    if (const auto stored = co_await std::move(storing); !stored) co_return refused(500, stored.error());
    auto pending = apply_new({wanted_.file, overlay}, {service});
    const auto changed = co_await std::move(pending);
    log::info("change-took", "us={} cpu_us={}", changing.elapsed(), changing.processor());
    if (!changed) {
      keep_overlay();
      co_return tl::make_unexpected(changed.error());
    }
    share_overlay(service::to_text(wanted_.overlay));
    events_.add("backend-changed", service::describe(change), service, backend);
  }
  const auto place = assembler_.desired().services.find(service);
  if (place == assembler_.desired().services.end()) co_return report;  // the last of a service that has left the file
  const auto state = place->second;
  if (const auto* found = find_backend(state, backend)) {
    auto question = [this, id = found->id] { return kernel_->collector().counter().backend(id).connections; };
    report.connections = co_await util::ask(kernel_->io(), std::move(question));
  }
  if (const auto lack = lack_of_backends(state)) report.warnings.push_back(fmt::format("service {}: {}", service, *lack));
  co_return report;
}

asio::awaitable<Outcome<control::PickedBackend>> App::pick(std::string service) {
  const auto& desired = assembler_.desired();
  const auto place = desired.services.find(service);
  if (place == desired.services.end()) co_return refused(404, fmt::format("there is no service '{}'", service));
  const auto state = place->second;
  auto question = [this, &state] {
    std::vector<balance::LiveCount> counts;
    for (const auto& backend : state.backends) counts.push_back(kernel_->live_count(backend.id));
    return counts;
  };
  auto counts = co_await util::ask(kernel_->io(), std::move(question));
  const auto now = std::chrono::steady_clock::now();
  std::vector<PickCandidate> candidates;
  for (std::size_t i = 0; i < state.backends.size(); ++i) {
    const auto& backend = state.backends[i];
    auto& count = counts[i];
    count.connections = wanted_.overlay.reported(service, backend.name, now).value_or(count.connections);
    const auto room = balance::room_of(backend.max_connections, count);
    candidates.push_back({backend.address, count.connections, backend.share_weight, room});
  }
  const auto best = picks_.pick(service, candidates, now);
  if (!best) co_return refused(503, fmt::format("no backend of service '{}' has room", service));
  control::PickedBackend picked{state.backends[*best].name, state.backends[*best].address, ""};
  const auto own = std::ranges::find(wanted_.file->services, service, &config::Service::name);
  if (own == wanted_.file->services.end()) co_return picked;
  for (const auto& backend : service::in_effect(assembler_.laid(), *own).backends)
    if (backend.address == picked.address) picked.public_address = backend.public_address;
  co_return picked;
}

asio::awaitable<Outcome<control::RebalanceReport>> App::rebalance(std::string service, std::uint32_t rate) {
  const auto& desired = assembler_.desired();
  const auto place = desired.services.find(service);
  if (place == desired.services.end()) co_return refused(404, fmt::format("there is no service '{}'", service));
  if (auto refusal = refusal_of_follower()) co_return tl::make_unexpected(std::move(*refusal));
  auto question = [this, state = place->second, rate] { return kernel_->evictions().rebalance(state, rate); };
  const auto surplus = co_await util::ask(kernel_->io(), std::move(question));
  const auto pace = rate == 0 ? "stopped" : fmt::format("{} a second are reset", rate);
  events_.add("rebalancing",
              fmt::format("above their backends' fair part: {}; {}", util::counted(surplus, "connection", "connections"), pace),
              service);
  co_return control::RebalanceReport{surplus};
}

}  // namespace wsl4::runtime
