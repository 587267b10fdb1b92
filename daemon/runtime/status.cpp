#include "daemon/runtime/status.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "daemon/dataplane/names.h"
#include "daemon/service/layers.h"
#include "daemon/util/counted.h"

namespace wsl4::runtime {

namespace {

using netlink::conntrack::Flow;

/// A pool warns when one of its pairs is so full (contract).
constexpr double kFullWarning = 0.85;

std::string_view to_string(config::Scheduler scheduler) {
  switch (scheduler) {
    case config::Scheduler::kLeastConnections:
      return "least-connections";
    case config::Scheduler::kRoundRobin:
      return "round-robin";
    case config::Scheduler::kRandom:
      return "random";
    case config::Scheduler::kSourceHash:
      return "source-hash";
  }
  return "";
}

/// The kernel's own names (nf_conntrack_proto_tcp.c).
std::string_view to_string(netlink::conntrack::TcpState state) {
  constexpr std::array<std::string_view, 10> kNames{"NONE",       "SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",
                                                    "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2"};
  return kNames.at(static_cast<std::size_t>(state));
}

struct Tables {
  /// Entries by pool address.
  using Held = std::map<netlink::IpAddress, std::uint64_t>;

  boost::unordered_flat_map<service::BackendId, std::vector<const flows::PairCount*>> pairs_of;
  std::map<flows::BackendEndpoint, Held> held;  // of all services together, also of those that have gone: what fills a pair

  [[nodiscard]] const Held& held_towards(const service::ServiceState& service, const service::BackendState& backend) const {
    static const Held kNone;
    const auto place = held.find({backend.address, service.protocol});
    return place == held.end() ? kNone : place->second;
  }
};

Tables tables_of(const KernelCounts& counts) {
  Tables tables;
  for (const auto& pair : counts.pairs) {
    tables.pairs_of[pair.backend].push_back(&pair);
    tables.held[pair.endpoint][pair.snat] += pair.held;
  }
  return tables;
}

std::uint64_t counter(const KernelCounts& counts, const std::string& name) {
  const auto place = counts.counters.find(name);
  return place == counts.counters.end() ? 0 : place->second.packets;
}

/// Services, backends and their standing by name, so that each is found at once.
class Known {
 public:
  explicit Known(const Surroundings& surroundings) : surroundings_(surroundings) {
    for (const auto& own : surroundings.file.services) {
      const auto& service = service::in_effect(surroundings.laid, own);
      services_[service.name] = &service;
      for (const auto& backend : service.backends) backends_[{service.name, backend.address}] = &backend;
    }
    for (const auto& status : surroundings.health) health_[{status.service, status.backend}] = &status;
  }

  using Key = std::pair<std::string, netlink::Endpoint>;
  [[nodiscard]] const config::Service* service(const std::string& name) const { return find(services_, name); }
  [[nodiscard]] const config::Backend* backend(const Key& key) const { return find(backends_, key); }
  [[nodiscard]] const health::Status* health(const Key& key) const { return find(health_, key); }
  [[nodiscard]] const service::Mark* mark(const Key& key) const {
    const auto& marks = service::marks_of(surroundings_.laid, key.first);
    const auto place = marks.find(key);
    return place == marks.end() ? nullptr : &place->second;
  }
  [[nodiscard]] const Surroundings& surroundings() const { return surroundings_; }

 private:
  template <class Map, class K>
  static typename Map::mapped_type find(const Map& map, const K& key) {
    const auto place = map.find(key);
    return place == map.end() ? nullptr : place->second;
  }

  const Surroundings& surroundings_;
  std::map<std::string, const config::Service*> services_;
  std::map<Key, const config::Backend*> backends_;
  std::map<Key, const health::Status*> health_;
};

/// It may have left, and drain.
bool is_configured(const Known& known, const service::ServiceState& service, const service::BackendState& backend) {
  return known.backend({service.name, backend.address}) != nullptr;
}

control::SnatStatus describe_snat(const service::ServiceState& service, const service::PoolState& pool, const Tables& tables,
                                  const Known& known) {
  control::SnatStatus snat;
  snat.pool = pool.name;
  std::map<netlink::IpAddress, control::SnatAddressStatus> addresses;
  for (const auto& address : pool.addresses) addresses[address].address = address;
  // Flows over an address that has left the pool take none of its ports.
  const auto of_pool = [&](const netlink::IpAddress& address) {
    const auto place = addresses.find(address);
    return place == addresses.end() ? nullptr : &place->second;
  };
  const std::uint64_t ports = pool.ports();
  for (const auto& backend : service.backends) {
    if (is_configured(known, service, backend))
      snat.capacity += ports * static_cast<std::uint64_t>(std::ranges::count(pool.addresses, backend.address.address.family(),
                                                                             &netlink::IpAddress::family));
    for (const auto& [source, held] : tables.held_towards(service, backend)) {
      auto* address = of_pool(source);
      if (address == nullptr) continue;
      address->used += held;
      snat.used += held;
      snat.worst_use = std::max(snat.worst_use, static_cast<double>(held) / static_cast<double>(ports));
      snat.pairs_full += held >= ports ? 1 : 0;
    }
    const auto pairs = tables.pairs_of.find(backend.id);
    if (pairs == tables.pairs_of.end()) continue;
    for (const auto* pair : pairs->second)
      if (auto* address = of_pool(pair->snat)) address->connections += pair->connections;
  }
  for (const auto& address : pool.addresses) snat.addresses.push_back(addresses.at(address));
  return snat;
}

/// State and reason of one that takes no new flows whatever the counts say; empty: it does.
std::pair<std::string, std::string> standing_of(const Known& known, const Known::Key& key, const service::BackendState& backend) {
  using Standing = service::Mark::Standing;
  const auto* mark = known.mark(key);
  if (mark && mark->standing == Standing::kRemoved) return {"draining", "removed"};
  if (mark && mark->standing == Standing::kDisabled) return {"disabled", ""};
  if (mark && mark->standing == Standing::kDraining) return {"draining", ""};
  if (known.backend(key) == nullptr) return {"draining", "has left the service"};
  const auto* health = known.health(key);
  if (health && health->state() == health::State::kDown)
    return {"down", health->peers ? "on the active: " + health->peers->detail : health->standing.detail};
  if (backend.weight == 0) return {"up", "weight 0"};
  return {};
}

/// The same by the counts.
std::pair<std::string, std::string> fullness_of(const service::BackendState& backend, const KernelCounts& counts,
                                                const control::BackendStatus& described) {
  if (described.share > 0) return {};
  if (backend.max_connections != 0 && described.connections >= backend.max_connections) return {"full", "max_connections"};
  const auto free = counts.free_ports.find(backend.id);
  if (free != counts.free_ports.end() && free->second == 0) return {"full", "no free port in the pool"};
  return {};
}

std::optional<control::CheckStatus> check_of(const health::Status* health, std::chrono::steady_clock::time_point now) {
  if (health == nullptr || !health->standing.ok) return std::nullopt;
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - health->standing.checked);
  return control::CheckStatus{*health->standing.ok, health->standing.detail, age};
}

/// Where a backend that is in effect comes from.
std::string_view source_of(const Surroundings& surroundings, const Known::Key& key) {
  const auto laid = surroundings.laid.find(key.first);
  if (laid != surroundings.laid.end() && laid->second.added.contains(key.second)) return "added";
  const auto origin = surroundings.joined.origins.find(key);
  if (origin == surroundings.joined.origins.end()) return "file";
  return origin->second == service::Origin::kRegistered ? "registered" : "discovered";
}

void describe_source(control::BackendStatus& described, const Surroundings& surroundings, const Known::Key& key) {
  described.source = source_of(surroundings, key);
  const auto lapses = surroundings.joined.lapses.find(key);
  if (described.source != "registered" || lapses == surroundings.joined.lapses.end()) return;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(lapses->second - surroundings.now);
  described.lease = std::max(left, std::chrono::seconds(0));  // where this node follows another one it goes by that one's word
}

control::BackendStatus describe_backend(const service::ServiceState& service, const service::BackendState& backend,
                                        const KernelCounts& counts, const Known& known) {
  const Known::Key key{service.name, backend.address};
  const auto* configured = known.backend(key);
  const auto* health = known.health(key);
  control::BackendStatus described;
  described.name = backend.name;
  described.address = backend.address;
  described.weight = backend.weight;
  described.max_connections = backend.max_connections;
  if (const auto count = counts.backends.find(backend.id); count != counts.backends.end()) {
    described.connections = count->second.connections;
    described.half_open = count->second.half_open;
  }
  if (const auto share = counts.shares.find(backend.id); share != counts.shares.end()) described.share = share->second;
  described.total = counter(counts, dataplane::names::backend_counter(service, backend));
  described.check = check_of(health, known.surroundings().now);
  described.changed = known.mark(key) != nullptr;
  if (configured) described.public_address = configured->public_address;
  if (configured) describe_source(described, known.surroundings(), key);
  if (backend.evict > 0)
    described.empty_in =
        std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(described.connections) / backend.evict));

  std::tie(described.state, described.reason) = standing_of(known, key, backend);
  const auto emptying = counts.emptying.find(backend.id);
  if (!described.empty_in && described.state != "down" && emptying != counts.emptying.end())
    described.empty_in = emptying->second.empty_in(described.connections, known.surroundings().now);
  if (described.state.empty()) std::tie(described.state, described.reason) = fullness_of(backend, counts, described);
  if (!described.state.empty()) return described;
  described.state = health && health->state() == health::State::kChecking ? "checking" : "up";
  if (known.surroundings().wall - backend.serving_since < service.slow_start) {
    described.reason = "slow start";
  } else if (described.share == 0 && service.scheduler == config::Scheduler::kLeastConnections) {
    described.reason = "others are emptier";
  }
  return described;
}

std::string_view to_string(config::HealthType type) {
  constexpr std::array<std::string_view, 6> kWords{"tcp", "http", "https", "websocket", "websockets", "none"};
  return kWords.at(static_cast<std::size_t>(type));
}

control::ServiceStatus describe_service(const service::DesiredState& desired, const service::ServiceState& service,
                                        const KernelCounts& counts, const Tables& tables, const Known& known) {
  control::ServiceStatus described;
  described.name = service.name;
  described.protocol = netlink::to_string(service.protocol);
  described.listen = service.listen;
  described.scheduler = to_string(service.scheduler);
  described.mode = service.mode == config::Mode::kSnat ? "snat" : "dnat";
  const auto* configured = known.service(service.name);
  if (configured) described.health = to_string(configured->health.type);
  const auto& lookups = known.surroundings().joined.lookups;
  if (const auto lookup = lookups.find(service.name); lookup != lookups.end()) {
    const auto& [setting, dns] = lookup->second;
    described.discovery = control::DiscoveryStatus{setting, dns.failing, dns.last_error, dns.last_success};
  }
  for (const auto& backend : service.backends) {
    described.backends.push_back(describe_backend(service, backend, counts, known));
    described.connections += described.backends.back().connections;
    const auto rate = counts.rates.find(backend.id);
    if (rate != counts.rates.end()) described.rate += rate->second;
  }
  for (const auto& [key, mark] : service::marks_of(known.surroundings().laid, service.name)) {
    const bool is_back = configured && service::find_backend(*configured, mark.name) != nullptr;  // at another address
    if (mark.standing == service::Mark::Standing::kRemoved && !is_back) described.removed.push_back(mark.name);
  }
  described.refused_by = {{"no_backend", counter(counts, dataplane::names::no_backend_counter(service))},
                          {"full", counter(counts, dataplane::names::full_counter(service))},
                          {"client_limit", counter(counts, dataplane::names::client_limit_counter(service))}};
  for (const auto& [reason, count] : described.refused_by) described.refused += count;
  // Who is over a client limit is refused before the service counts it.
  const auto all = counter(counts, dataplane::names::new_flows_counter(service));
  const auto unserved = described.refused - described.refused_by["client_limit"];
  described.total = all - std::min(all, unserved);
  if (service.mode == config::Mode::kSnat) {
    described.snat = describe_snat(service, desired.pools.at(service.pool), tables, known);
    if (const auto full = counts.full_in.find(service.name); full != counts.full_in.end()) described.snat->full_in = full->second;
  }
  return described;
}

/// "4 min", "3 h", "2 days".
std::string roughly(std::chrono::seconds time) {
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 4> kUnits{{{86'400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
  for (const auto& [seconds, unit] : kUnits)
    if (time.count() >= 2 * seconds) return fmt::format("{} {}", time.count() / seconds, unit);
  return fmt::format("{} s", time.count());
}

/// Which pair is the fullest, and when all will be full. Backends that have left have a pair, but no part in the pool's capacity.
std::string full_warning(const service::ServiceState& service, const service::PoolState& pool, const control::SnatStatus& snat,
                         const Tables& tables, const Known& known) {
  const std::set<netlink::IpAddress> of_pool(pool.addresses.begin(), pool.addresses.end());
  const service::BackendState* fullest = nullptr;
  netlink::IpAddress address;
  std::uint64_t most = 0, in_all = 0;
  for (const auto& backend : service.backends) {
    const bool configured = is_configured(known, service, backend);
    for (const auto& [source, held] : tables.held_towards(service, backend)) {
      if (!of_pool.contains(source)) continue;
      if (configured) in_all += held;
      if (held <= most) continue;
      most = held;
      fullest = &backend;
      address = source;
    }
  }
  if (fullest == nullptr) return "";
  auto text = fmt::format("service {}: {} % of the ports of {} towards {} are taken, {} % of pool {} in all", service.name,
                          static_cast<int>(snat.worst_use * 100), address.to_string(), fullest->name,
                          snat.capacity == 0 ? 100 : in_all * 100 / snat.capacity, pool.name);
  if (snat.full_in && in_all < snat.capacity) text += ", at the present rate all of it in " + roughly(*snat.full_in);
  return text + "; add addresses to the pool, or backends";
}

/// Services that nothing else tells of.
void tell_of_gone(control::Status& status, const service::DesiredState& desired, const std::vector<service::KnownBackend>& left,
                  const KernelCounts& counts) {
  std::map<std::string, std::uint64_t> connections;
  for (const auto& [service, backend] : left) {
    const auto count = counts.backends.find(backend.id);
    if (!desired.services.contains(service) && count != counts.backends.end()) connections[service] += count->second.connections;
  }
  for (const auto& [service, number] : connections) {
    const bool nameless =
        service == service::gone_service(netlink::Protocol::kTcp) || service == service::gone_service(netlink::Protocol::kUdp);
    if (number == 0) continue;
    status.warnings.push_back(
        nameless ? fmt::format("{} to where no service of this node listens", util::counted(number, "connection", "connections"))
                 : fmt::format("service {} has left the configuration; {} of its connections live on", service, number));
  }
}

}  // namespace

void describe_services(control::Status& status, const service::DesiredState& desired, const Surroundings& surroundings,
                       const KernelCounts& counts) {
  const auto tables = tables_of(counts);
  const Known known(surroundings);
  for (const auto& [name, service] : desired.services) {
    auto& described = status.services.emplace_back(describe_service(desired, service, counts, tables, known));
    if (described.snat && described.snat->worst_use >= kFullWarning) {
      status.warnings.push_back(full_warning(service, desired.pools.at(service.pool), *described.snat, tables, known));
    }
    if (const auto lack = lack_of_backends(service))
      status.warnings.push_back(fmt::format("service {}: {}; they are refused", name, *lack));
  }
  tell_of_gone(status, desired, surroundings.left, counts);
  status.ruleset_in_sync = counts.ruleset_in_sync;
  status.event_overruns = counts.collector.overruns;
  status.dumps = counts.collector.resyncs;
  status.reaped = counts.collector.reaped;
  status.ruleset_repairs = counts.ruleset_repairs;
}

std::optional<std::string> lack_of_backends(const service::ServiceState& service) {
  std::vector<netlink::Family> without;
  bool any = false;
  for (const auto family : {netlink::Family::kIpv4, netlink::Family::kIpv6}) {
    const auto listens = std::ranges::any_of(service.listen, [&](const auto& listen) { return listen.address.family() == family; });
    const auto serves = std::ranges::any_of(service.backends, [&](const auto& backend) {
      return backend.address.address.family() == family && backend.share_weight != 0;
    });
    any = any || (listens && serves);
    if (listens && !serves) without.push_back(family);
  }
  if (!any) return "no backend takes new connections";
  if (without.empty()) return std::nullopt;
  return fmt::format("no backend takes new connections over {}", without.front() == netlink::Family::kIpv4 ? "IPv4" : "IPv6");
}

BackendNames backend_names(const service::DesiredState& desired, const std::vector<service::KnownBackend>& left) {
  BackendNames names;
  for (const auto& [service, backend] : left) names[backend.id] = {service, backend.name};
  for (const auto& [name, service] : desired.services) {
    for (const auto& backend : service.backends) names[backend.id] = {name, backend.name};
  }
  return names;
}

std::optional<std::string> unknown_name(const control::FlowQuery& query, const BackendNames& names, const config::Config& file) {
  bool service = !query.service, backend = !query.backend;
  const auto look = [&](const std::string& service_name, const std::string* backend_name) {
    if (query.service && *query.service != service_name) return;
    service = true;
    backend = backend || (backend_name != nullptr && *query.backend == *backend_name);
  };
  for (const auto& own : file.services) {
    look(own.name, nullptr);
    for (const auto& one : own.backends) look(own.name, &one.name);
  }
  for (const auto& [id, name] : names) look(name.service, &name.backend);
  if (!service) return fmt::format("there is no service '{}'", *query.service);
  if (backend) return std::nullopt;
  return query.service ? fmt::format("service {} has no backend '{}'", *query.service, *query.backend)
                       : fmt::format("no service has a backend '{}'", *query.backend);
}

bool matches(const control::FlowQuery& query, const Flow& flow, const BackendName& backend) {
  return (!query.service || *query.service == backend.service) && (!query.backend || *query.backend == backend.backend) &&
         (!query.client || *query.client == flow.original.source.address) && (!query.snat || *query.snat == flow.reply.destination);
}

const char* udp_state(std::uint32_t bits) {
  using namespace netlink::conntrack;
  if ((bits & status::kAssured) != 0) return "ASSURED";
  return (bits & status::kSeenReply) != 0 ? "REPLIED" : "UNREPLIED";
}

control::FlowView to_view(const Flow& flow, const BackendName& backend, control::WallClock::time_point now) {
  control::FlowView view;
  view.service = backend.service;
  view.backend = backend.backend;
  view.protocol = netlink::to_string(flow.original.protocol);
  view.client = flow.original.source;
  view.vip = flow.original.destination;
  view.snat = flow.reply.destination;
  view.server = flow.reply.source;
  view.state = flow.original.protocol == netlink::Protocol::kTcp ? to_string(flow.tcp_state) : udp_state(flow.status);
  view.expires = flow.timeout;
  const auto age = now.time_since_epoch() - std::chrono::nanoseconds(flow.start_ns);
  if (flow.start_ns != 0) view.age = std::max(std::chrono::duration_cast<std::chrono::seconds>(age), std::chrono::seconds(0));
  return view;
}

}  // namespace wsl4::runtime
