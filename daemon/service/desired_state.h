// What this node should be doing: the configuration with everything resolved that planning needs. Pure values; the planner
// turns it into a ruleset, the health and run-time overlays (later) only change the fields of BackendState.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/balance/port_blocks.h"
#include "daemon/config/config.h"

namespace wsl4::service {

/// Numbers backends within the conntrack mark. Node-local, 1 and up; 0 means "no flow of ours".
using BackendId = std::uint32_t;

using WallTime = std::chrono::system_clock::time_point;

struct BackendState {
  std::string name;
  netlink::Endpoint address;
  BackendId id = 0;
  int weight = 100;                                // as configured
  int share_weight = 0;                            // what the scheduler deals by: 0 takes it out of the deal
  std::uint64_t max_connections = 0;               // 0: what the pool can carry
  double evict = 0;                                // flows to reset per second, of one that drains
  std::vector<netlink::IpAddress> dead_sources{};  // pool addresses that do not reach it; sorted
  WallTime serving_since{};                        // for slow start; long ago if it is no newcomer
  friend bool operator==(const BackendState&, const BackendState&) = default;
};

struct ServiceState {
  std::string name;
  netlink::Protocol protocol = netlink::Protocol::kTcp;
  std::vector<netlink::Endpoint> listen;
  config::Scheduler scheduler = config::Scheduler::kLeastConnections;
  config::Mode mode = config::Mode::kSnat;
  std::string pool;                           // empty in mode dnat
  std::chrono::milliseconds idle_timeout{0};  // 0: never
  std::chrono::milliseconds slow_start{0};
  std::uint32_t client_connections = 0;  // per client address (IPv6: /64); 0 = no limit
  std::uint32_t client_rate = 0;         // new connections per second and client; 0 = no limit
  std::vector<BackendState> backends;    // in the file's order
  /// What the live counts have dealt, for each family: slot -> position in `backends`, or balance::kNoBackend. Empty: the slots
  /// follow from the share_weights.
  std::map<netlink::Family, std::vector<std::uint32_t>> dealt;
  /// Of these families new flows without a slot are refused because all backends are full, not because there is none.
  std::set<netlink::Family> full{};
  /// Backends whose SNAT ports are dealt in blocks: slot -> block; no slots: no port is free. The others use the whole range.
  std::map<BackendId, std::vector<balance::PortBlock>> blocks{};

  /// Of the new flows that come over the backend's family, 0-1.
  [[nodiscard]] double share_of(const BackendState& backend) const;
  friend bool operator==(const ServiceState&, const ServiceState&) = default;
};

struct PoolState {
  std::string name;
  std::vector<netlink::IpAddress> addresses;
  std::uint16_t port_min = 1, port_max = 65535;
  /// Of each address, towards each backend.
  [[nodiscard]] std::uint32_t ports() const { return port_max - port_min + 1U; }
  friend bool operator==(const PoolState&, const PoolState&) = default;
};

/// How the conntrack mark is cut up: the mask's top bit says that a flow is closing, the bits below number the backend.
class MarkLayout {
 public:
  /// `mask` is contiguous and at least two bits wide (the configuration's schema checks it).
  explicit MarkLayout(std::uint32_t mask = 0x00ffff00);
  [[nodiscard]] std::uint32_t mask() const { return mask_; }
  [[nodiscard]] std::uint32_t closing_bit() const { return closing_bit_; }
  [[nodiscard]] std::uint32_t backend_mask() const { return mask_ & ~closing_bit_; }
  [[nodiscard]] BackendId max_id() const { return backend_mask() >> shift_; }
  [[nodiscard]] std::uint32_t to_mark(BackendId id) const { return (id << shift_) & backend_mask(); }
  [[nodiscard]] BackendId to_id(std::uint32_t mark) const { return (mark & backend_mask()) >> shift_; }
  [[nodiscard]] bool is_closing(std::uint32_t mark) const { return (mark & closing_bit_) != 0; }
  friend bool operator==(const MarkLayout&, const MarkLayout&) = default;

 private:
  std::uint32_t mask_;
  std::uint32_t closing_bit_;
  unsigned shift_;
};

/// What a node of a pair does with packets that belong to no flow (design: the guard).
enum class Gate : std::uint8_t {
  kOpen,    // new flows are served; what belongs to no flow is reset
  kFence,   // new flows are served; what belongs to no flow is dropped, since its entry may be still to come
  kStandby  // both are dropped; flows with an entry are forwarded
};

struct DesiredState {
  MarkLayout mark = MarkLayout();
  bool owned_table = false;    // kernel >= 6.9
  bool double_dnat = false;    // kernels that can miss an element during a commit (before 6.17)
  std::optional<Gate> gate{};  // none: a single node, which has no gate
  std::map<std::string, PoolState> pools;
  std::map<std::string, ServiceState> services;
  /// Of any pool's PoolState::ports().
  [[nodiscard]] std::uint32_t fewest_ports() const;
  friend bool operator==(const DesiredState&, const DesiredState&) = default;
};

}  // namespace wsl4::service
