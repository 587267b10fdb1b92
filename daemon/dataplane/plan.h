// From the desired state to nftables rules, as values. Pure.
//
// A service's part of the ruleset is a Fragment: what it owns alone (chains, maps, counters) and what it puts into shared
// maps. Fragments are cheap to build and compare one by one, so a change of one service among thousands costs that service.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/service/desired_state.h"
#include "netlink/nft/ruleset.h"
#include "netlink/nft/transaction.h"

namespace wsl4::dataplane {

inline constexpr const char* kTableName = "wsl4";
/// Backends, by their numbers, that share a copy of a pool's map.
inline constexpr service::BackendId kMapBackends = 512;
/// In the table's comment; another one found in the kernel means: replace the table in one batch.
inline constexpr int kLayoutVersion = 1;

/// On kernels before 6.17 a lookup stands twice: the second sees the new generation.
inline constexpr const char* kOnceMore = "once more: older kernels can miss an element during a commit";

/// Own objects by name; shared elements by (set name, key). Two fragments may hold the same shared element if the data is equal
/// (a backend that serves two services): it leaves the kernel with its last holder.
struct Fragment {
  /// The backends' rules look their source addresses up in copies of the pool's map, kMapBackends to each: the kernel walks all
  /// rules of a map whenever it gets one more, 20 s for 40,000. Here by the copy's name; it is there while a fragment holds it.
  struct PoolMap {
    std::string pool;
    netlink::Family family = netlink::Family::kIpv4;
    friend bool operator==(const PoolMap&, const PoolMap&) = default;
  };
  std::map<std::string, PoolMap> pool_maps;
  std::map<std::string, netlink::nft::CounterObject> counters;
  std::map<std::string, netlink::nft::Set> sets;
  std::map<std::string, netlink::nft::Chain> chains;
  std::map<std::pair<std::string, netlink::nft::Bytes>, netlink::nft::Element> shared;
  friend bool operator==(const Fragment&, const Fragment&) = default;
};

/// Base chains, guard, shared maps (without elements).
[[nodiscard]] netlink::nft::Table plan_base(const service::DesiredState& state);
/// One pool's guard elements.
[[nodiscard]] Fragment plan_pool(const service::PoolState& pool);
/// Slot -> address.
[[nodiscard]] netlink::nft::Set pool_map(const service::PoolState& pool, netlink::Family family);
/// But for what its `blocks` need.
[[nodiscard]] Fragment plan_service(const service::DesiredState& state, const service::ServiceState& service);
/// What it needs that the ports towards this backend are dealt in blocks; empty where they are not.
[[nodiscard]] Fragment plan_blocks(const service::DesiredState& state, const service::ServiceState& service, service::BackendId id);
/// The map of `plan_blocks` without its elements, and these: slot -> the block's range.
[[nodiscard]] netlink::nft::Set blocks_map(const service::ServiceState& service, const service::BackendState& backend,
                                           const service::PoolState& pool);
[[nodiscard]] netlink::nft::ElementList block_elements(std::span<const balance::PortBlock> slots, balance::PortRange ports);

/// What says for the next kDealingTimeout that the daemon deals; without it new flows use the whole range, so that blocks that
/// nobody deals do not fill.
[[nodiscard]] netlink::nft::Transaction go_on_dealing();
inline constexpr std::chrono::seconds kDealingTimeout{2};

/// The gate as a table found in the kernel has it; none: it has no gate.
[[nodiscard]] std::optional<service::Gate> gate_of(const netlink::nft::Table& found);

/// The whole table: base and all fragments together.
[[nodiscard]] netlink::nft::Table plan(const service::DesiredState& state);

/// A backend as a table found in the kernel knows it: its number in the conntrack mark, its service and names.
struct AdoptedBackend {
  std::string service, name;
  netlink::Endpoint address;
  netlink::Protocol protocol = netlink::Protocol::kTcp;
  service::BackendId id = 0;
  friend bool operator==(const AdoptedBackend&, const AdoptedBackend&) = default;
};

/// Read from the backend chains of `found` (comment and SetCtMark); chains that say nothing of the kind are passed over.
[[nodiscard]] std::vector<AdoptedBackend> adopted_backends(const netlink::nft::Table& found, const service::MarkLayout& mark);

}  // namespace wsl4::dataplane
