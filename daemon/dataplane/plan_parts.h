// What the pieces of a plan have in common. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/service/desired_state.h"
#include "netlink/nft/ruleset.h"

namespace wsl4::dataplane {

[[nodiscard]] netlink::nft::Type address_type(netlink::Family family);

/// Of `services`, `service_ports` and the backends' sets.
[[nodiscard]] netlink::nft::Bytes endpoint_key(const netlink::Endpoint& endpoint, netlink::Protocol protocol);
/// Of `backends` and `blocks`: VIP . port . backend address . port.
[[nodiscard]] netlink::nft::Bytes flow_key(const netlink::Endpoint& listen, const netlink::Endpoint& backend);

/// A map from slots. Its size is given, which makes it the kernel's plain fixed table.
[[nodiscard]] netlink::nft::Set slot_map(std::vector<netlink::nft::Type> data, std::size_t slots);
void add_slot(netlink::nft::Set& map, std::size_t slot, netlink::nft::Bytes data);

[[nodiscard]] std::size_t count_of(const service::PoolState& pool, netlink::Family family);
/// The service's pool; nullptr in mode dnat.
[[nodiscard]] const service::PoolState* pool_of(const service::DesiredState& state, const service::ServiceState& service);

/// The name of the copy of the pool's map that the backend's rules use (Fragment::PoolMap).
[[nodiscard]] std::string pool_copy(const service::PoolState& pool, const service::BackendState& backend);

/// The pool's addresses that reach the backend. If none does, all stay in use, since a wrong verdict costs less than no
/// connections.
[[nodiscard]] std::vector<netlink::IpAddress> live_sources(const service::BackendState& backend, const service::PoolState& pool);

/// Makes a rule with these statements one that also translates the source, to the whole range of the next address; without a pool
/// address it stays as it is. The choice of the address has a counter of its own in each backend's chain: even, and never in
/// lockstep with the choice of the backend.
void add_source(std::vector<netlink::nft::Statement>& statements, const service::DesiredState& state,
                const service::ServiceState& service, const service::BackendState& backend);

}  // namespace wsl4::dataplane
