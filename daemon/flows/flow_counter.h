// Live counts of flows per backend, per pool address and per pair of both, kept from conntrack events and corrected by dumps.
// Pure: it is told what was seen and answers counts. 38 to 76 bytes a flow: 32 in a table that doubles when it is 7/8 full.
//
// A pool address has its ports once towards each backend endpoint, whichever services use it. Which endpoint a backend's number
// stands for is learned from its flows, and stays as long as a flow bears the number. Where an endpoint's ports run short its
// blocks can be watched: that costs 1 KiB for each pool address.
//
// A flow is known by a hash of its original tuple and by its conntrack id: the kernel may deliver a DESTROY late, after a new flow
// with the same tuple began. An id of 0 stands for any: of flows that this node has put into the kernel itself. A dump corrects
// everything: `begin_resync`, `see_in_dump` each entry while events go on, `end_resync` forgets what neither the dump nor an event
// has shown meanwhile. The kernel reads ahead: an entry that a dump shows may have ended before, and stays ended.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "daemon/service/desired_state.h"
#include "netlink/conntrack/conntrack.h"

namespace wsl4::flows {

struct BackendCount {
  std::uint64_t connections = 0;
  std::uint64_t held = 0;
  std::uint64_t started = 0;    // flows that became established since this object was made
  std::uint64_t half_open = 0;  // as the last dump saw them: events tell of these only where ports are dealt in blocks
  friend bool operator==(const BackendCount&, const BackendCount&) = default;
};

/// What a port is held towards. Services may share it.
struct BackendEndpoint {
  netlink::Endpoint address;
  netlink::Protocol protocol = netlink::Protocol::kTcp;
  friend auto operator<=>(const BackendEndpoint&, const BackendEndpoint&) = default;
};

/// One pair of a pool address and a backend. In mode dnat the address is the unspecified one.
struct PairCount {
  netlink::IpAddress snat;
  service::BackendId backend = 0;
  std::uint64_t connections = 0;  // established flows
  std::uint64_t held = 0;         // every entry that holds a port, half-open and closing ones too
  BackendEndpoint endpoint = {};  // the backend's, towards which the ports are held
};

/// The ports of pool addresses towards one backend endpoint.
struct PortUse {
  BackendEndpoint backend;
  std::vector<service::BackendId> numbers;           // whose flows go there
  std::map<netlink::IpAddress, std::uint64_t> held;  // by pool address: entries of all services
  friend bool operator==(const PortUse&, const PortUse&) = default;
};

/// Flows of all services towards a watched endpoint, since it is watched.
struct Turnover {
  std::uint64_t begun = 0;  // seen for the first time, half-open ones too
  std::uint64_t ended = 0;  // gone, and with them their ports
  friend bool operator==(const Turnover&, const Turnover&) = default;
};

/// A flow's life; it never goes back. Only kEstablished counts as a connection. UDP flows are established from their first packet.
enum class FlowPhase : std::uint8_t { kHalfOpen, kEstablished, kClosing };
[[nodiscard]] FlowPhase phase_of(const netlink::conntrack::Flow& flow, const service::MarkLayout& mark);

class FlowCounter {
 public:
  explicit FlowCounter(service::MarkLayout mark) : mark_(mark) {}
  FlowCounter(const FlowCounter&) = delete;
  FlowCounter& operator=(const FlowCounter&) = delete;

  /// A flow as an event shows it. False: it has no mark of ours, and is ignored.
  bool see(const netlink::conntrack::Flow& flow);
  /// One that this node has put into the kernel itself: it has begun elsewhere, and so is not `started`.
  bool see_copy(const netlink::conntrack::Flow& flow);
  /// As a dump shows it, between `begin_resync` and `end_resync`. False also of one that has ended.
  bool see_in_dump(const netlink::conntrack::Flow& flow);
  /// A DESTROY event. False: it was not known, or a flow of another id has its tuple, and stays.
  bool forget(const netlink::conntrack::Flow& flow);

  void begin_resync();
  /// Returns how many flows were forgotten: those that ended without an event.
  std::size_t end_resync();

  [[nodiscard]] BackendCount backend(service::BackendId id) const;
  /// Every pair that holds at least one entry, in no order.
  [[nodiscard]] std::vector<PairCount> pairs() const;
  /// How many entries have `address` as VIP or pool address.
  [[nodiscard]] std::uint64_t held_by_address(const netlink::IpAddress& address) const;
  /// VIPs and pool addresses of entries.
  [[nodiscard]] std::set<netlink::IpAddress> held_addresses() const;
  /// Backends whose counts have changed since the last call.
  [[nodiscard]] std::vector<service::BackendId> take_changed();
  /// Numbers that flows bear or have borne since this object was made.
  [[nodiscard]] std::vector<service::BackendId> seen_backends() const;
  /// Numbers that flows bear.
  [[nodiscard]] std::vector<service::BackendId> live_backends() const;
  [[nodiscard]] std::size_t size() const { return flows_.size(); }

  /// Endpoints with pool addresses of which at least so many ports are held, and only these; none of mode dnat. Cheap to ask for
  /// often: 1,000 endpoints of 16 addresses take 0.3 ms if none holds so many, 0.9 ms if all do.
  [[nodiscard]] std::vector<PortUse> port_use(std::uint64_t at_least = 1) const;

  /// From now on the endpoint's flows are counted per block of ports too. Walks over all flows (10 ms for a million), unless it is
  /// watched already.
  void watch_blocks(const BackendEndpoint& endpoint);
  void unwatch_blocks(const BackendEndpoint& endpoint);
  /// Entries per block, balance::kBlocksPerAddress of them; empty if the pair holds none, or is not watched. Valid until the
  /// counter changes.
  [[nodiscard]] std::span<const std::uint16_t> blocks(const BackendEndpoint& endpoint, const netlink::IpAddress& snat) const;
  [[nodiscard]] Turnover turnover(const BackendEndpoint& endpoint) const;

 private:
  using AddressIndex = std::uint32_t;
  struct Record {
    std::uint32_t conntrack_id;
    service::BackendId backend;
    AddressIndex vip, snat;
    std::uint16_t snat_port;
    FlowPhase phase;
    std::uint8_t epoch;  // of the resync that saw it last
  };
  static_assert(sizeof(Record) <= 24, "with its key an entry has 32 bytes");
  struct Pair {
    std::uint64_t connections = 0, held = 0;
  };

  struct Watch {
    Turnover turnover;
    boost::unordered_flat_map<AddressIndex, std::vector<std::uint16_t>> blocks;
  };
  struct Backend {
    BackendCount count;
    BackendEndpoint endpoint;  // while `count.held` is not 0, as is
    Watch* watch = nullptr;    // the endpoint's
  };

  /// Adds (+1) or takes away (-1) one flow everywhere it counts.
  void account(const Record& record, std::int64_t sign);
  static void account_connection(BackendCount& backend, Pair& pair, std::int64_t sign);
  static void account_block(Watch& watch, const Record& record, std::int64_t sign);
  /// To a later phase.
  void advance(Record& record, FlowPhase phase);
  /// Learns what the number of a flow stands for, if no flow bears it yet.
  void learn(const netlink::conntrack::Flow& flow, service::BackendId id);
  AddressIndex intern(const netlink::IpAddress& address);
  static std::uint64_t pair_key(const Record& record) { return (std::uint64_t{record.backend} << 32) | record.snat; }

  using Ended = std::pair<std::uint64_t, std::uint32_t>;  // hash of the original tuple, conntrack id

  service::MarkLayout mark_;
  std::uint8_t epoch_ = 0;
  bool resyncing_ = false;
  boost::unordered_flat_set<Ended> ended_;                  // since the resync began
  boost::unordered_flat_map<std::uint64_t, Record> flows_;  // by hash of the original tuple
  boost::unordered_flat_map<std::uint64_t, Pair> pairs_;
  boost::unordered_flat_map<service::BackendId, Backend> backends_;
  boost::unordered_flat_set<service::BackendId> changed_;
  std::map<BackendEndpoint, Watch> watches_;
  std::map<netlink::IpAddress, AddressIndex> address_index_;
  std::vector<netlink::IpAddress> addresses_;
  std::vector<std::uint64_t> held_by_address_;
};

}  // namespace wsl4::flows
