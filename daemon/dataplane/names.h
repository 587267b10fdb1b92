// Every name of a kernel object of ours, and the comments that the daemon reads back. Pure.
//
// Names are made of the configuration's names, unique, at most 255 bytes (the kernel's NFT_NAME_MAXLEN - 1), begin with a letter
// and use only what nft(8) takes unquoted: letters, digits and / _ . -
#pragma once

#include <string>

#include "daemon/service/desired_state.h"

namespace wsl4::dataplane::names {

// Base chains, named as their hooks.
inline constexpr const char* kPrerouting = "prerouting";    // finds the service of a new flow
inline constexpr const char* kPostrouting = "postrouting";  // finds its backend's chain
inline constexpr const char* kOutput = "output";            // prerouting's work for what this machine itself sends to a VIP
inline constexpr const char* kInput = "input";
inline constexpr const char* kForward = "forward";
inline constexpr const char* kCopies = "copies";  // only in a pair: counts copies of flows for the limits of their clients
// Chains of the guard.
inline constexpr const char* kGuard = "guard";          // picks the packets that should belong to a flow of ours and belong to none
inline constexpr const char* kRefuse = "guard-refuse";  // what happens to them

/// Counter: packets of new flows that were dropped since no pool address could be set.
inline constexpr const char* kNoSource = "no-source";

// Shared maps and sets, one per family.
/// Verdict map: VIP . protocol . port -> the service's chain.
[[nodiscard]] std::string services(netlink::Family family);
/// Verdict map: VIP . port . backend address . port -> the backend's chain. One for each protocol, since the kernel walks a map for
/// every rule that looks into it, at each change that brings a chain or a rule.
[[nodiscard]] std::string backends(netlink::Protocol protocol, netlink::Family family);
/// The same for backends whose ports are dealt in blocks, looked at while `kDealing` has elements.
[[nodiscard]] std::string blocks(netlink::Protocol protocol, netlink::Family family);
/// Set: protocols, there while the daemon deals blocks.
inline constexpr const char* kDealing = "dealing";
/// Sets: protocols whose new flows (kStandby), or packets of no flow (kFenced), are dropped. Only in a pair; full or empty.
inline constexpr const char* kStandby = "standby";
inline constexpr const char* kFenced = "fenced";
/// Verdict map, only in a pair: packet mark . VIP . protocol . port -> copies_chain of a service that limits connections.
[[nodiscard]] std::string copies(netlink::Family family);
/// Set: VIP . protocol . port of all services.
[[nodiscard]] std::string service_ports(netlink::Family family);
/// Set: address . protocol . port of backends that see pool addresses (mode snat).
[[nodiscard]] std::string snat_backends(netlink::Family family);
/// Set: address . protocol . port of backends that see client addresses (mode dnat).
[[nodiscard]] std::string dnat_backends(netlink::Family family);
/// Set: all pool addresses.
[[nodiscard]] std::string pool_addresses(netlink::Family family);

// One pool's.
/// Map: slot -> pool address. Large installations have several copies of it, numbered from 0; the first one's name has no number.
[[nodiscard]] std::string pool_slots(const service::PoolState& pool, netlink::Family family, std::uint32_t copy = 0);

// One service's.
[[nodiscard]] std::string service_chain(const service::ServiceState& service, netlink::Family family);
/// Map: slot -> backend address . port.
[[nodiscard]] std::string service_slots(const service::ServiceState& service, netlink::Family family);
/// New flows (first packets), but those over a client limit; refused ones too.
[[nodiscard]] std::string new_flows_counter(const service::ServiceState& service);
/// Packets of new flows that were refused since no backend has a share.
[[nodiscard]] std::string no_backend_counter(const service::ServiceState& service);
/// The same where backends are there, but all are full.
[[nodiscard]] std::string full_counter(const service::ServiceState& service);
/// Packets of new flows that were refused since their client is over a limit.
[[nodiscard]] std::string client_limit_counter(const service::ServiceState& service);
/// Set: clients with their connections, kept by the kernel.
[[nodiscard]] std::string client_connections(const service::ServiceState& service, netlink::Family family);
/// Counts a copy of a flow in that set.
[[nodiscard]] std::string copies_chain(const service::ServiceState& service, netlink::Family family);
/// Set: clients with their rates, kept by the kernel.
[[nodiscard]] std::string client_rates(const service::ServiceState& service, netlink::Family family);

// One backend's.
/// Map: slot -> pool address, where not all of the pool's reach the backend.
[[nodiscard]] std::string source_slots(const service::ServiceState& service, const service::BackendState& backend);
/// Map: slot -> range of pool address . port.
[[nodiscard]] std::string blocks_slots(const service::ServiceState& service, const service::BackendState& backend);
[[nodiscard]] std::string blocks_chain(const service::ServiceState& service, const service::BackendState& backend);
[[nodiscard]] std::string backend_chain(const service::ServiceState& service, const service::BackendState& backend);
/// New flows (first packets) that went to the backend.
[[nodiscard]] std::string backend_counter(const service::ServiceState& service, const service::BackendState& backend);

/// Comments are cut to the kernel's usual 128 bytes of nft(8) and freed of what its text form cannot hold.
[[nodiscard]] std::string comment(std::string text);

/// "chat tcp 198.51.100.1:8888 erlang-1": the comment of a backend's chain, from which a restarted daemon learns what the chain's
/// mark means. Names of up to 40 bytes always fit.
[[nodiscard]] std::string backend_comment(const service::ServiceState& service, const service::BackendState& backend);

}  // namespace wsl4::dataplane::names
