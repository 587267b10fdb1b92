// "Where does this packet go?": follows one packet through a Table as the kernel would, hook by hook. Only our table exists; a
// route to everywhere does too. Knows conntrack no further than what the packet says of its flow.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netlink/nft/ruleset.h"

namespace wsl4::test {

struct Packet {
  netlink::Endpoint from, to;
  netlink::Protocol protocol = netlink::Protocol::kTcp;
  std::uint8_t tcp_flags = 0x02;  // SYN
  netlink::nft::CtState state = netlink::nft::CtState::kNew;
  std::uint32_t mark = 0;  // the flow's, before
};

struct Trace {
  enum class End : std::uint8_t { kForwarded, kDelivered, kDropped, kReset, kUnreachable };
  End end = End::kForwarded;
  netlink::Endpoint from, to;                // as the packet leaves
  std::uint16_t port_min = 0, port_max = 0;  // of source translation; 0: none
  std::uint32_t mark = 0;                    // the flow's, afterwards
  std::optional<std::uint32_t> events;       // what `ct event set` said
  std::vector<std::string> counters;         // counted by, in order
  std::vector<std::string> chains;           // gone through, in order
};

class PacketTracer {
 public:
  /// Packets to one of `local` addresses are delivered to this host.
  PacketTracer(netlink::nft::Table table, std::set<netlink::IpAddress> local)
      : table_(std::move(table)), local_(std::move(local)) {}

  /// A packet that arrives from the network. Translation is looked for only if it is the first of a flow (state new), as in the
  /// kernel; of later packets say where they go after translation. Throws std::out_of_range where the table refers to what it has
  /// not.
  Trace arrive(const Packet& packet);

  /// The next look-up in this map that would find something finds nothing, as kernels before 6.17 can do it during a commit.
  void miss_once(std::string map) { missed_ = std::move(map); }

 private:
  friend class Walk;
  netlink::nft::Table table_;
  std::set<netlink::IpAddress> local_;
  std::map<std::pair<std::string, std::size_t>, std::uint32_t> turns_;  // of `numgen inc`, per rule
  std::uint32_t random_ = 1;
  std::map<std::string, std::map<netlink::nft::Bytes, std::uint32_t>> clients_;  // of dynamic sets: flows or packets per client
  std::optional<std::string> missed_;
};

}  // namespace wsl4::test
