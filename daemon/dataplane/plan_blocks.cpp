// The way of a backend's new flows while its SNAT ports are dealt in blocks.
#include <algorithm>

#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan.h"
#include "daemon/dataplane/plan_parts.h"

namespace wsl4::dataplane {
namespace {

using namespace netlink::nft;  // the vocabulary of rules

/// 1 << IPCT_* (linux/netfilter/nf_conntrack_common.h): new and destroy with assured. Half-open flows hold ports too, and here
/// ports run short.
constexpr std::uint32_t kTcpBlockEvents = 0x15, kUdpBlockEvents = 0x05;

Chain blocks_chain(const service::DesiredState& state, const service::ServiceState& service, const service::BackendState& backend,
                   std::uint32_t slots) {
  Chain chain{std::nullopt, names::comment("ports in blocks: " + backend.name + " of " + service.name), {}};
  const SnatFromBlocks snat{
      backend.address.address.family(), {Selector::Kind::kIncremental, slots, 0}, names::blocks_slots(service, backend)};
  chain.rules.push_back({{MatchL4Proto{service.protocol}, SetCtMark{~state.mark.mask(), state.mark.to_mark(backend.id)},
                          SetCtEvents{service.protocol == netlink::Protocol::kTcp ? kTcpBlockEvents : kUdpBlockEvents},
                          CountNamed{names::backend_counter(service, backend)}, snat},
                         ""});
  auto& whole_range = chain.rules.emplace_back().statements;
  add_source(whole_range, state, service, backend);
  return chain;
}

}  // namespace

ElementList block_elements(std::span<const balance::PortBlock> slots, balance::PortRange ports) {
  ElementList elements;
  elements.reserve(slots.size());
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    const auto [first, last] = balance::ports_of(slots[slot].number, ports);
    const auto& address = slots[slot].address;
    elements.emplace_back(KeyBuilder().add_slot(static_cast<std::uint32_t>(slot)).take(),
                          Element{KeyBuilder().add(address).add_port(first).add(address).add_port(last).take(), ""});
  }
  return elements;
}

Set blocks_map(const service::ServiceState& service, const service::BackendState& backend, const service::PoolState& pool) {
  const auto family = backend.address.address.family();
  auto map = slot_map({address_type(family), Type::kInetService},
                      balance::port_slots(count_of(pool, family), {pool.port_min, pool.port_max}));
  map.data_ranges = true;
  map.port_protocol = service.protocol;
  map.comment = names::comment("blocks of SNAT ports towards " + backend.name);
  return map;
}

Fragment plan_blocks(const service::DesiredState& state, const service::ServiceState& service, service::BackendId id) {
  Fragment fragment;
  const auto backend = std::ranges::find(service.backends, id, &service::BackendState::id);
  const auto slots = service.blocks.find(id);
  const auto* pool = pool_of(state, service);
  if (backend == service.backends.end() || slots == service.blocks.end() || pool == nullptr) return fragment;
  auto map = blocks_map(service, *backend, *pool);
  for (auto& [key, element] : block_elements(slots->second, {pool->port_min, pool->port_max}))
    map.elements.emplace(std::move(key), std::move(element));
  const auto name = names::blocks_chain(service, *backend);
  fragment.chains.emplace(name, blocks_chain(state, service, *backend, map.slot_modulus));
  fragment.sets.emplace(names::blocks_slots(service, *backend), std::move(map));
  const auto family = backend->address.address.family();
  for (const auto& listen : service.listen)
    if (listen.address.family() == family)
      fragment.shared.emplace(std::pair(names::blocks(service.protocol, family), flow_key(listen, backend->address)),
                              Element{Verdict{Verdict::Kind::kJump, name}, ""});
  return fragment;
}

}  // namespace wsl4::dataplane
