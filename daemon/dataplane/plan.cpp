#include "daemon/dataplane/plan.h"

#include <algorithm>

#include "daemon/balance/least_connections.h"
#include "daemon/balance/slots.h"
#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan_parts.h"
#include "netlink/tcp_probe.h"

namespace wsl4::dataplane {
namespace {

using netlink::Endpoint;
using netlink::Family;
using netlink::Protocol;
using namespace netlink::nft;  // the vocabulary of rules

/// 1 << IPCT_* (linux/netfilter/nf_conntrack_common.h): destroy with assured; a UDP flow is assured late or never, so new.
constexpr std::uint32_t kTcpEvents = 0x14, kUdpEvents = 0x05;
/// Any value that both nodes have: "wsl4".
constexpr std::uint32_t kHashSeed = 0x77736c34;

/// Clients that a limit can tell apart at once; the kernel takes memory for those that there are.
constexpr std::uint32_t kMostClients = 1'048'576;
/// A burst is one second's worth, so a client is as good as new after a second.
constexpr std::chrono::seconds kRateMemory{10};

/// Builds one service's fragment, piece by piece.
class ServicePlanner {
 public:
  ServicePlanner(const service::DesiredState& state, const service::ServiceState& service) : state_(state), service_(service) {}

  Fragment plan() {
    fragment_.counters[names::new_flows_counter(service_)] = {names::comment("new flows, refused ones too")};
    fragment_.counters[names::no_backend_counter(service_)] = {names::comment("new flows refused: no backend")};
    fragment_.counters[names::full_counter(service_)] = {names::comment("new flows refused: all backends are full")};
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
      const auto is_of_family = [&](const Endpoint& endpoint) { return endpoint.address.family() == family; };
      if (std::ranges::any_of(service_.listen, is_of_family)) add_family(family);
    }
    for (const auto& listen : service_.listen) add_listen(listen);
    for (const auto& backend : service_.backends) add_backend(backend);
    return std::move(fragment_);
  }

 private:
  void share(std::string set, Bytes key, Data data, std::string comment) {
    fragment_.shared.emplace(std::pair(std::move(set), std::move(key)),
                             Element{std::move(data), names::comment(std::move(comment))});
  }

  std::vector<const service::BackendState*> backends_of(Family family) const {
    std::vector<const service::BackendState*> backends;
    for (const auto& backend : service_.backends)
      if (backend.address.address.family() == family) backends.push_back(&backend);
    return backends;
  }

  balance::Slots deal(const std::vector<const service::BackendState*>& backends) const {
    if (service_.scheduler == config::Scheduler::kSourceHash) {
      std::vector<balance::HashCandidate> candidates;
      candidates.reserve(backends.size());
      for (const auto* backend : backends) candidates.push_back({backend->address.to_string(), backend->share_weight});
      return balance::deal_by_hash(candidates);
    }
    std::vector<int> weights;
    weights.reserve(backends.size());
    for (const auto* backend : backends) weights.push_back(backend->share_weight);
    return balance::deal_in_turn(weights);
  }

  /// Where each slot leads; null: nowhere, the flow is refused.
  std::vector<const Endpoint*> targets(Family family) const {
    std::vector<const Endpoint*> targets;
    if (const auto dealt = service_.dealt.find(family); dealt != service_.dealt.end()) {
      for (const auto place : dealt->second)
        targets.push_back(place == balance::kNoBackend ? nullptr : &service_.backends[place].address);
      return targets;
    }
    const auto backends = backends_of(family);
    for (const auto place : deal(backends)) targets.push_back(&backends[place]->address);
    return targets;
  }

  Selector selector(std::uint32_t modulus) const {
    switch (service_.scheduler) {
      case config::Scheduler::kRandom:
        return {Selector::Kind::kRandom, modulus, 0};
      case config::Scheduler::kSourceHash:
        return {Selector::Kind::kHashSaddr, modulus, kHashSeed};
      case config::Scheduler::kRoundRobin:
      case config::Scheduler::kLeastConnections:
        break;
    }
    return {Selector::Kind::kIncremental, modulus, 0};
  }

  /// The service's chain and slot map of one family.
  void add_family(Family family) {
    const auto slots = targets(family);
    auto map = slot_map({address_type(family), Type::kInetService}, slots.size());
    map.port_protocol = service_.protocol;
    for (std::size_t slot = 0; slot < slots.size(); ++slot)
      if (slots[slot]) add_slot(map, slot, KeyBuilder().add(slots[slot]->address).add_port(slots[slot]->port).take());

    Chain chain{std::nullopt, names::comment("service " + service_.name), {}};
    const MatchL4Proto protocol{service_.protocol};
    const DnatFromMap dnat{family, selector(map.slot_modulus), names::service_slots(service_, family)};
    add_client_limits(chain, family);
    chain.rules.push_back({{protocol, CountNamed{names::new_flows_counter(service_)}, dnat}, ""});
    if (state_.double_dnat) chain.rules.push_back({{protocol, dnat}, kOnceMore});
    const bool full = service_.full.contains(family);
    const auto counter = full ? names::full_counter(service_) : names::no_backend_counter(service_);
    chain.rules.push_back(refusal({}, counter, full ? "full" : "no backend"));
    fragment_.sets.emplace(names::service_slots(service_, family), std::move(map));
    fragment_.chains.emplace(names::service_chain(service_, family), std::move(chain));
  }

  /// `reject with tcp reset` needs the protocol in its rule.
  Rule refusal(std::vector<Statement> statements, const std::string& counter, std::string comment) const {
    statements.insert(statements.begin(), MatchL4Proto{service_.protocol});
    statements.emplace_back(CountNamed{counter});
    statements.emplace_back(Reject{service_.protocol == Protocol::kTcp});
    return {std::move(statements), std::move(comment)};
  }

  /// The kernel keeps who has how much, so that a limit holds whether or not the daemon lives. The numbers stand in the sets'
  /// comments: an element keeps those that it was made with, so other numbers mean other sets.
  void add_client_limits(Chain& chain, Family family) {
    const auto set_of = [family](std::string comment, std::chrono::seconds timeout) {
      Set set;
      set.key = {address_type(family)};
      set.dynamic = true;
      set.size = kMostClients;
      set.timeout = timeout;
      set.comment = names::comment(std::move(comment));
      return set;
    };
    const auto counter = names::client_limit_counter(service_);
    if (service_.client_connections != 0 || service_.client_rate != 0)
      fragment_.counters[counter] = {names::comment("new flows refused: client over a limit")};
    if (const auto most = service_.client_connections; most != 0) {
      const auto name = names::client_connections(service_, family);
      fragment_.sets.emplace(name, set_of("at most " + std::to_string(most) + " connections a client", std::chrono::seconds(0)));
      chain.rules.push_back(refusal({LimitClientConnections{family, name, most}}, counter, "too many connections"));
      if (state_.gate) add_copies(LimitClientConnections{family, name, most});
    }
    if (const auto rate = service_.client_rate; rate != 0) {
      const auto name = names::client_rates(service_, family);
      fragment_.sets.emplace(name, set_of("at most " + std::to_string(rate) + " new connections a second", kRateMemory));
      chain.rules.push_back(refusal({LimitClientRate{family, name, rate, rate}}, counter, "too fast"));
    }
  }

  /// Announcements of flows that are copied to this node are counted, and go no further.
  void add_copies(LimitClientConnections limit) {
    const auto name = names::copies_chain(service_, limit.family);
    for (const auto& listen : service_.listen) {
      if (listen.address.family() != limit.family) continue;
      KeyBuilder key;
      key.add_slot(netlink::TcpProber::kAnnouncement).add(listen.address).add(service_.protocol).add_port(listen.port);
      share(names::copies(limit.family), key.take(), Verdict{Verdict::Kind::kGoto, name}, service_.name);
    }
    Chain chain{std::nullopt, names::comment("copied flows of service " + service_.name), {}};
    chain.rules = {{{std::move(limit)}, ""}, {{Verdict{Verdict::Kind::kDrop, ""}}, ""}};
    fragment_.chains.emplace(name, std::move(chain));
  }

  void add_listen(const Endpoint& listen) {
    const auto family = listen.address.family();
    const auto key = endpoint_key(listen, service_.protocol);
    share(names::services(family), key, Verdict{Verdict::Kind::kGoto, names::service_chain(service_, family)}, service_.name);
    share(names::service_ports(family), key, std::monostate{}, service_.name);
    for (const auto* backend : backends_of(family)) {
      share(names::backends(service_.protocol, family), flow_key(listen, backend->address),
            Verdict{Verdict::Kind::kJump, names::backend_chain(service_, *backend)}, "");
    }
  }

  void add_backend(const service::BackendState& backend) {
    const auto family = backend.address.address.family();
    const bool snat = service_.mode == config::Mode::kSnat;
    const auto counter = names::backend_counter(service_, backend);
    fragment_.counters[counter] = {names::comment("new flows to " + backend.name + " of " + service_.name)};
    share(snat ? names::snat_backends(family) : names::dnat_backends(family), endpoint_key(backend.address, service_.protocol),
          std::monostate{}, "");

    Chain chain{std::nullopt, names::backend_comment(service_, backend), {}};
    std::vector<Statement> known{SetCtMark{~state_.mark.mask(), state_.mark.to_mark(backend.id)},
                                 SetCtEvents{service_.protocol == Protocol::kTcp ? kTcpEvents : kUdpEvents}, CountNamed{counter}};
    if (snat) {
      add_sources(backend);
      add_source(known, state_, service_, backend);
    } else {
      known.emplace_back(Verdict{Verdict::Kind::kAccept, ""});
    }
    chain.rules.push_back({std::move(known), ""});
    fragment_.chains.emplace(names::backend_chain(service_, backend), std::move(chain));
  }

  /// A copy of the pool's map, or a map of its own for a backend that some of the pool's addresses do not reach.
  void add_sources(const service::BackendState& backend) {
    const auto family = backend.address.address.family();
    const auto* pool = pool_of(state_, service_);
    const auto all = pool == nullptr ? 0 : count_of(*pool, family);
    if (all == 0) return;
    const auto live = live_sources(backend, *pool);
    if (live.size() == all) {
      fragment_.pool_maps.emplace(pool_copy(*pool, backend), Fragment::PoolMap{pool->name, family});
      return;
    }
    auto map = slot_map({address_type(family)}, live.size());
    for (std::size_t slot = 0; slot < live.size(); ++slot) add_slot(map, slot, KeyBuilder().add(live[slot]).take());
    map.comment = names::comment("pool " + pool->name + " without dead paths");
    fragment_.sets.emplace(names::source_slots(service_, backend), std::move(map));
  }

  const service::DesiredState& state_;
  const service::ServiceState& service_;
  Fragment fragment_;
};

void merge(Table& table, Fragment fragment, const service::DesiredState& state) {
  table.counters.merge(fragment.counters);
  table.sets.merge(fragment.sets);
  table.chains.merge(fragment.chains);
  for (auto& [place, element] : fragment.shared) table.sets.at(place.first).elements.emplace(place.second, std::move(element));
  for (const auto& [name, map] : fragment.pool_maps)
    if (!table.sets.contains(name)) table.sets.emplace(name, pool_map(state.pools.at(map.pool), map.family));
}

}  // namespace

Set pool_map(const service::PoolState& pool, Family family) {
  auto map = slot_map({address_type(family)}, count_of(pool, family));
  map.comment = names::comment("pool " + pool.name);
  std::size_t slot = 0;
  for (const auto& address : pool.addresses)
    if (address.family() == family) add_slot(map, slot++, KeyBuilder().add(address).take());
  return map;
}

Fragment plan_pool(const service::PoolState& pool) {
  Fragment fragment;
  for (const auto& address : pool.addresses)
    fragment.shared.emplace(std::pair(names::pool_addresses(address.family()), KeyBuilder().add(address).take()),
                            Element{std::monostate{}, names::comment(pool.name)});
  return fragment;
}

Fragment plan_service(const service::DesiredState& state, const service::ServiceState& service) {
  return ServicePlanner(state, service).plan();
}

Table plan(const service::DesiredState& state) {
  auto table = plan_base(state);
  for (const auto& [name, pool] : state.pools) merge(table, plan_pool(pool), state);
  for (const auto& [name, service] : state.services) {
    merge(table, plan_service(state, service), state);
    for (const auto& [id, slots] : service.blocks) merge(table, plan_blocks(state, service, id), state);
  }
  return table;
}

}  // namespace wsl4::dataplane
