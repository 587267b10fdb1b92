#include "daemon/dataplane/plan_parts.h"

#include <algorithm>

#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan.h"

namespace wsl4::dataplane {

using netlink::Endpoint;
using netlink::Family;
using netlink::IpAddress;
using netlink::Protocol;
using namespace netlink::nft;  // the vocabulary of rules

Type address_type(Family family) { return family == Family::kIpv4 ? Type::kIpv4Addr : Type::kIpv6Addr; }

Bytes endpoint_key(const Endpoint& endpoint, Protocol protocol) {
  return KeyBuilder().add(endpoint.address).add(protocol).add_port(endpoint.port).take();
}

Bytes flow_key(const Endpoint& listen, const Endpoint& backend) {
  return KeyBuilder().add(listen.address).add_port(listen.port).add(backend.address).add_port(backend.port).take();
}

Set slot_map(std::vector<Type> data, std::size_t slots) {
  Set map;
  map.key = {Type::kSlot};
  map.data = std::move(data);
  map.slot_modulus = map.size = static_cast<std::uint32_t>(std::max<std::size_t>(slots, 1));
  return map;
}

void add_slot(Set& map, std::size_t slot, Bytes data) {
  map.elements.emplace_hint(map.elements.end(), KeyBuilder().add_slot(static_cast<std::uint32_t>(slot)).take(),
                            Element{std::move(data), ""});
}

std::size_t count_of(const service::PoolState& pool, Family family) {
  return static_cast<std::size_t>(std::ranges::count(pool.addresses, family, &IpAddress::family));
}

const service::PoolState* pool_of(const service::DesiredState& state, const service::ServiceState& service) {
  const auto pool = state.pools.find(service.pool);
  return pool == state.pools.end() ? nullptr : &pool->second;
}

std::string pool_copy(const service::PoolState& pool, const service::BackendState& backend) {
  return names::pool_slots(pool, backend.address.address.family(), backend.id / kMapBackends);
}

std::vector<IpAddress> live_sources(const service::BackendState& backend, const service::PoolState& pool) {
  std::vector<IpAddress> all, live;
  for (const auto& address : pool.addresses) {
    if (address.family() != backend.address.address.family()) continue;
    all.push_back(address);
    if (!std::ranges::binary_search(backend.dead_sources, address)) live.push_back(address);
  }
  return live.empty() ? all : live;
}

void add_source(std::vector<Statement>& statements, const service::DesiredState& state, const service::ServiceState& service,
                const service::BackendState& backend) {
  const auto family = backend.address.address.family();
  const auto* pool = pool_of(state, service);
  const auto all = pool ? count_of(*pool, family) : 0;
  if (all == 0) return;
  const auto live = live_sources(backend, *pool).size();
  const auto map = live == all ? pool_copy(*pool, backend) : names::source_slots(service, backend);
  const Selector turn{Selector::Kind::kIncremental, static_cast<std::uint32_t>(live), 0};
  statements.insert(statements.begin(), MatchL4Proto{service.protocol});
  statements.emplace_back(SnatFromMap{family, turn, map, pool->port_min, pool->port_max});
}

}  // namespace wsl4::dataplane
