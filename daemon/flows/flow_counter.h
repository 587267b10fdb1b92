// Live counts of flows per backend, per pool address and per pair of both, kept from conntrack events and corrected by dumps.
// Pure: it is told what was seen and answers counts. At most 66 bytes a flow (32 in a table that is at least half full).
//
// A flow is known by a hash of its original tuple and by its conntrack id: the kernel may deliver a DESTROY late, after a new flow
// with the same tuple began. A dump corrects everything: `begin_resync`, `see` each entry while events go on, `end_resync` forgets
// what neither the dump nor an event has shown meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "daemon/service/desired_state.h"
#include "netlink/conntrack/conntrack.h"

namespace wsl4::flows {

/// One pair of a pool address and a backend. In mode dnat the address is the unspecified one.
struct PairCount {
  netlink::IpAddress snat;
  service::BackendId backend = 0;
  std::uint64_t connections = 0;  // established flows
  std::uint64_t held = 0;         // every entry that holds a port, half-open and closing ones too
};

struct BackendCount {
  std::uint64_t connections = 0;
  std::uint64_t held = 0;
  std::uint64_t started = 0;    // flows that became established since this object was made
  std::uint64_t half_open = 0;  // as the last dump saw them: no event tells of these
  friend bool operator==(const BackendCount&, const BackendCount&) = default;
};

/// A flow's life; it never goes back. Only kEstablished counts as a connection. UDP flows are established from their first packet.
enum class FlowPhase : std::uint8_t { kHalfOpen, kEstablished, kClosing };
[[nodiscard]] FlowPhase phase_of(const netlink::conntrack::Flow& flow, const service::MarkLayout& mark);

class FlowCounter {
 public:
  explicit FlowCounter(service::MarkLayout mark) : mark_(mark) {}

  /// A flow as an event or a dump shows it. Flows without a mark of ours are ignored.
  void see(const netlink::conntrack::Flow& flow);
  /// A DESTROY event. A flow of another id with the same tuple stays.
  void forget(const netlink::conntrack::Flow& flow);

  void begin_resync();
  /// Returns how many flows were forgotten: those that ended without an event.
  std::size_t end_resync();

  [[nodiscard]] BackendCount backend(service::BackendId id) const;
  /// Every pair that holds at least one entry, in no order.
  [[nodiscard]] std::vector<PairCount> pairs() const;
  /// How many entries have `address` as VIP or pool address.
  [[nodiscard]] std::uint64_t held_by_address(const netlink::IpAddress& address) const;
  /// Backends whose counts have changed since the last call.
  [[nodiscard]] std::vector<service::BackendId> take_changed();
  /// Numbers that flows bear or have borne since this object was made.
  [[nodiscard]] std::vector<service::BackendId> seen_backends() const;
  /// Numbers that flows bear.
  [[nodiscard]] std::vector<service::BackendId> live_backends() const;
  [[nodiscard]] std::size_t size() const { return flows_.size(); }

 private:
  using AddressIndex = std::uint32_t;
  struct Record {
    std::uint32_t conntrack_id;
    service::BackendId backend;
    AddressIndex vip, snat;
    FlowPhase phase;
    std::uint8_t epoch;  // of the resync that saw it last
  };
  struct Pair {
    std::uint64_t connections = 0, held = 0;
  };

  /// Adds (+1) or takes away (-1) one flow everywhere it counts.
  void account(const Record& record, std::int64_t sign);
  AddressIndex intern(const netlink::IpAddress& address);
  static std::uint64_t pair_key(const Record& record) { return (std::uint64_t{record.backend} << 32) | record.snat; }

  service::MarkLayout mark_;
  std::uint8_t epoch_ = 0;
  boost::unordered_flat_map<std::uint64_t, Record> flows_;  // by hash of the original tuple
  boost::unordered_flat_map<std::uint64_t, Pair> pairs_;
  boost::unordered_flat_map<service::BackendId, BackendCount> backends_;
  boost::unordered_flat_set<service::BackendId> changed_;
  std::map<netlink::IpAddress, AddressIndex> address_index_;
  std::vector<netlink::IpAddress> addresses_;
  std::vector<std::uint64_t> held_by_address_;
};

}  // namespace wsl4::flows
