// Two routers side by side between clients and servers, in network namespaces:
//
//   client --front switch-- router a, router b --back switch-- server
//
// Front 198.18.1.0/24 and 2001:db8:1::/64, back 198.18.2.0/24 and 2001:db8:2::/64. The virtual and the SNAT addresses are on
// router a at first. Rules are plain nft text: what is tested here must not depend on our own rules.
#pragma once

#include <cstdint>
#include <string>

#include "netlink/handle.h"
#include "netlink/ip.h"
#include "tests/support/namespace.h"

namespace wsl4::test {

/// A TCP connection through a router, both ends in hand.
struct Connection {
  netlink::Fd client;
  netlink::Fd server;
  netlink::Endpoint client_end;  // the client's own address and port
  netlink::Endpoint seen_end;    // and as the server sees them

  /// The client (or the server) sends `size` bytes, the other end receives and compares them. Deadline 20 s for each end.
  [[nodiscard]] bool client_sends(std::size_t size) const;
  [[nodiscard]] bool server_sends(std::size_t size) const;
  /// Waits until the client's end sees a reset; false if it sees anything else, or nothing for 20 s.
  [[nodiscard]] bool client_is_reset() const;
};

class RouterBed {
 public:
  static constexpr std::uint32_t kMark = 0x4200;  // of flows to `vip`; flows to `other_vip` have none

  RouterBed();

  /// The router's rules: flows to the virtual addresses go to the server's port 8080, with the client's address replaced by the
  /// SNAT address where `source_nat`; flows to vip get kMark and events assured,destroy (UDP: new,destroy).
  static void load_rules(const Namespace& router, bool source_nat = true);

  /// Where the server listens.
  [[nodiscard]] static netlink::Endpoint server_end(netlink::Family family);

  /// Connects from the client to port 80 of a virtual address.
  [[nodiscard]] Connection connect(const netlink::IpAddress& virtual_address) const;
  /// Sends one datagram to port 80 of a virtual address and has it answered.
  void exchange_datagram(const netlink::IpAddress& virtual_address) const;
  /// Sends a SYN to a port of the virtual address that the server's side never answers.
  void knock_unanswered(const netlink::IpAddress& virtual_address) const;

  /// Cuts both cards of a router.
  static void cut(const Namespace& router) { router.must("ip link set front down && ip link set back down"); }

  Namespace client{"client"}, a{"a"}, b{"b"}, server{"server"};
  netlink::IpAddress vip4, vip6, other_vip4, snat4, snat6;

 private:
  Namespace wire_{"wire"};
};

}  // namespace wsl4::test
