#include "daemon/runtime/status.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "daemon/dataplane/names.h"

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

/// Entries by (pool address, backend address, protocol), whichever services use them: what fills a pair.
using PairUse = std::map<std::tuple<netlink::IpAddress, netlink::Endpoint, netlink::Protocol>, std::uint64_t>;

struct Tables {
  boost::unordered_flat_map<service::BackendId, std::vector<const flows::PairCount*>> pairs_of;
  PairUse use;
};

Tables tables_of(const service::DesiredState& desired, const KernelCounts& counts) {
  Tables tables;
  for (const auto& pair : counts.pairs) tables.pairs_of[pair.backend].push_back(&pair);
  for (const auto& [name, service] : desired.services) {
    for (const auto& backend : service.backends) {
      const auto pairs = tables.pairs_of.find(backend.id);
      if (pairs == tables.pairs_of.end()) continue;
      for (const auto* pair : pairs->second) tables.use[{pair->snat, backend.address, service.protocol}] += pair->held;
    }
  }
  return tables;
}

std::uint64_t counter(const KernelCounts& counts, const std::string& name) {
  const auto place = counts.counters.find(name);
  return place == counts.counters.end() ? 0 : place->second.packets;
}

control::SnatStatus describe_snat(const service::ServiceState& service, const service::PoolState& pool, const Tables& tables) {
  control::SnatStatus snat;
  snat.pool = pool.name;
  std::map<netlink::IpAddress, std::uint64_t> connections;
  const std::uint64_t ports = std::uint64_t{pool.port_max} - pool.port_min + 1;
  for (const auto& backend : service.backends) {
    if (backend.weight != 0 || backend.share_weight != 0) {
      const auto same_family = [&](const netlink::IpAddress& address) {
        return address.family() == backend.address.address.family();
      };
      snat.capacity += ports * static_cast<std::uint64_t>(std::ranges::count_if(pool.addresses, same_family));
    }
    const auto pairs = tables.pairs_of.find(backend.id);
    if (pairs == tables.pairs_of.end()) continue;
    for (const auto* pair : pairs->second) {
      connections[pair->snat] += pair->connections;
      snat.used += pair->held;
      const auto use =
          static_cast<double>(tables.use.at({pair->snat, backend.address, service.protocol})) / static_cast<double>(ports);
      snat.worst_use = std::max(snat.worst_use, use);
    }
  }
  for (const auto& address : pool.addresses) snat.addresses.push_back({address, connections[address]});
  return snat;
}

control::BackendStatus describe_backend(const service::ServiceState& service, const service::BackendState& backend,
                                        const KernelCounts& counts) {
  control::BackendStatus described;
  described.name = backend.name;
  described.address = backend.address;
  described.state = backend.share_weight == 0 ? "draining" : "up";
  described.weight = backend.weight;
  const auto count = counts.backends.find(backend.id);
  described.connections = count == counts.backends.end() ? 0 : count->second.connections;
  described.max_connections = backend.max_connections;
  if (const auto share = counts.shares.find(backend.id); share != counts.shares.end()) described.share = share->second;
  described.total = counter(counts, dataplane::names::backend_counter(service, backend));
  return described;
}

control::ServiceStatus describe_service(const service::DesiredState& desired, const service::ServiceState& service,
                                        const KernelCounts& counts, const Tables& tables) {
  control::ServiceStatus described;
  described.name = service.name;
  described.protocol = netlink::to_string(service.protocol);
  described.listen = service.listen;
  described.scheduler = to_string(service.scheduler);
  described.mode = service.mode == config::Mode::kSnat ? "snat" : "dnat";
  for (const auto& backend : service.backends) {
    described.backends.push_back(describe_backend(service, backend, counts));
    described.connections += described.backends.back().connections;
    const auto rate = counts.rates.find(backend.id);
    if (rate != counts.rates.end()) described.rate += rate->second;
  }
  described.refused_by = {
      {"no_backend", counter(counts, dataplane::names::no_backend_counter(service))}, {"full", counter(counts, dataplane::names::full_counter(service))}, {"client_limit", 0}};
  for (const auto& [reason, count] : described.refused_by) described.refused += count;
  const auto all = counter(counts, dataplane::names::new_flows_counter(service));
  described.total = all - std::min(all, described.refused);
  if (service.mode == config::Mode::kSnat) described.snat = describe_snat(service, desired.pools.at(service.pool), tables);
  return described;
}

}  // namespace

void describe_services(control::Status& status, const service::DesiredState& desired, const KernelCounts& counts) {
  const auto tables = tables_of(desired, counts);
  for (const auto& [name, service] : desired.services) {
    auto& described = status.services.emplace_back(describe_service(desired, service, counts, tables));
    if (described.snat && described.snat->worst_use >= kFullWarning) {
      status.warnings.push_back(
          fmt::format("service {}: a pair of pool address and backend is {:.0f} % full; add addresses to pool {} or backends", name,
                      described.snat->worst_use * 100, described.snat->pool));
    }
    if (std::ranges::none_of(service.backends, [](const auto& backend) { return backend.share_weight != 0; })) {
      status.warnings.push_back(fmt::format("service {}: no backend takes new connections; they are refused", name));
    }
  }
  status.ruleset_in_sync = counts.ruleset_in_sync;
  status.event_overruns = counts.collector.overruns;
  status.dumps = counts.collector.resyncs;
  status.ruleset_repairs = counts.ruleset_repairs;
}

BackendNames backend_names(const service::DesiredState& desired) {
  BackendNames names;
  for (const auto& [name, service] : desired.services) {
    for (const auto& backend : service.backends) names[backend.id] = {name, backend.name};
  }
  return names;
}

bool matches(const control::FlowQuery& query, const Flow& flow, const BackendName& backend) {
  return (!query.service || *query.service == backend.service) && (!query.backend || *query.backend == backend.backend) &&
         (!query.client || *query.client == flow.original.source.address) && (!query.snat || *query.snat == flow.reply.destination);
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
  const bool assured = (flow.status & netlink::conntrack::status::kAssured) != 0;
  view.state = flow.original.protocol == netlink::Protocol::kTcp ? to_string(flow.tcp_state) : assured ? "ASSURED" : "UNREPLIED";
  view.expires = flow.timeout;
  const auto age = now.time_since_epoch() - std::chrono::nanoseconds(flow.start_ns);
  if (flow.start_ns != 0) view.age = std::max(std::chrono::duration_cast<std::chrono::seconds>(age), std::chrono::seconds(0));
  return view;
}

}  // namespace wsl4::runtime
