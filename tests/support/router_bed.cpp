#include "tests/support/router_bed.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "tests/support/socket_address.h"

namespace wsl4::test {

namespace {

using netlink::Endpoint;
using netlink::Family;
using netlink::Fd;
using netlink::IpAddress;

constexpr std::uint16_t kServicePort = 80, kServerPort = 8080;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

Fd open_socket(Family family, int type) {
  Fd fd(::socket(netlink::to_af(family), type | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(fd), "socket");
  set_deadline(fd.get());
  return fd;
}

Fd open_server(const Endpoint& endpoint, int type) {
  Fd fd = open_socket(endpoint.address.family(), type);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SocketAddress address(endpoint);
  check(::bind(fd.get(), address.get(), address.size) == 0, "bind");
  if (type == SOCK_STREAM) check(::listen(fd.get(), 16) == 0, "listen");
  return fd;
}

/// In turns of at most a socket buffer, so that neither end waits for the other forever.
bool transfer(int from, int to, std::size_t size) {
  std::vector<char> sent(16384), got(sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 + size);
  for (std::size_t done = 0; done < size;) {
    const std::size_t turn = std::min(sent.size(), size - done);
    if (::send(from, sent.data(), turn, MSG_NOSIGNAL) != static_cast<ssize_t>(turn)) return false;
    if (::recv(to, got.data(), turn, MSG_WAITALL) != static_cast<ssize_t>(turn)) return false;
    if (!std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(turn), sent.begin())) return false;
    done += turn;
  }
  return true;
}

}  // namespace

bool Connection::client_sends(std::size_t size) const { return transfer(client.get(), server.get(), size); }
bool Connection::server_sends(std::size_t size) const { return transfer(server.get(), client.get(), size); }
bool Connection::client_is_reset() const {
  char byte = 0;
  return ::recv(client.get(), &byte, 1, 0) < 0 && errno == ECONNRESET;
}

RouterBed::RouterBed()
    : vip4(*IpAddress::parse("198.18.1.100")),
      vip6(*IpAddress::parse("2001:db8:1::100")),
      other_vip4(*IpAddress::parse("198.18.1.101")),
      snat4(*IpAddress::parse("198.18.2.101")),
      snat6(*IpAddress::parse("2001:db8:2::101")) {
  wire_.must("ip link add front type bridge && ip link add back type bridge && ip link set front up && ip link set back up");
  const auto plug = [&](const Namespace& node, const std::string& side, const std::string& plug_name, int number) {
    // A router asks for neighbours from its link-local address, which else is of no use for two seconds.
    node.must("sysctl -qw net.ipv6.conf.default.accept_dad=0");
    node.link(side, wire_, plug_name);
    wire_.must("ip link set " + plug_name + " master " + side);
    const std::string net = side == "front" ? "1" : "2", host = std::to_string(number);
    node.must("ip addr add 198.18." + net + "." + host + "/24 dev " + side + " && ip addr add 2001:db8:" + net + "::" + host +
              "/64 dev " + side + " nodad");
  };
  plug(client, "front", "cf", 10);
  plug(a, "front", "af", 2);
  plug(b, "front", "bf", 3);
  plug(a, "back", "ab", 2);
  plug(b, "back", "bb", 3);
  plug(server, "back", "sb", 11);
  server.must("ip route add 198.18.1.0/24 via 198.18.2.2 && ip route add 2001:db8:1::/64 via 2001:db8:2::2");
  for (const Namespace* router : {&a, &b}) {
    router->must(
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_events=1 "
        "net.netfilter.nf_conntrack_tcp_loose=0 net.netfilter.nf_conntrack_tcp_be_liberal=1");
  }
  a.must(
      "ip addr add 198.18.1.100/32 dev front && ip addr add 198.18.1.101/32 dev front && ip addr add 198.18.2.101/32 dev back && "
      "ip addr add 2001:db8:1::100/128 dev front nodad && ip addr add 2001:db8:2::101/128 dev back nodad");
}

Endpoint RouterBed::server_end(Family family) {
  return {*IpAddress::parse(family == Family::kIpv4 ? "198.18.2.11" : "2001:db8:2::11"), kServerPort};
}

void RouterBed::load_rules(const Namespace& router, bool source_nat) {
  const std::string snat = source_nat ? "  ct status dnat meta l4proto { tcp, udp } th dport 8080 snat ip to 198.18.2.101\n"
                                        "  ct status dnat meta l4proto { tcp, udp } th dport 8080 snat ip6 to 2001:db8:2::101\n"
                                      : "";
  router.must("nft -f -", R"(
table inet bed {
 chain pre { type nat hook prerouting priority dstnat;
  ip daddr { 198.18.1.100, 198.18.1.101 } meta l4proto { tcp, udp } th dport 80 dnat ip to 198.18.2.11:8080
  ip6 daddr 2001:db8:1::100 meta l4proto { tcp, udp } th dport 80 dnat ip6 to [2001:db8:2::11]:8080
  ip daddr 198.18.1.100 tcp dport 81 dnat ip to 198.18.2.11:81
 }
 chain post { type nat hook postrouting priority srcnat;
  ct status dnat ct original ip daddr 198.18.1.100 ct mark set 0x4200
  ct status dnat ct original ip6 daddr 2001:db8:1::100 ct mark set 0x4200
  meta l4proto tcp ct event set assured,destroy
  meta l4proto udp ct event set new,destroy
)" + snat + R"( }
 chain in { type filter hook input priority filter;
  ct state established,related return
  ip daddr 198.18.1.100 meta l4proto tcp reject with tcp reset
  ip6 daddr 2001:db8:1::100 meta l4proto tcp reject with tcp reset
 }
}
)");
}

Connection RouterBed::connect(const IpAddress& virtual_address) const {
  const Family family = virtual_address.family();
  const Fd listener = server.run([&] { return open_server(server_end(family), SOCK_STREAM); });
  Connection connection;
  connection.client = client.run([&] { return open_socket(family, SOCK_STREAM); });
  SocketAddress target(Endpoint{virtual_address, kServicePort});
  check(::connect(connection.client.get(), target.get(), target.size) == 0, "connect");
  SocketAddress own, seen;
  ::getsockname(connection.client.get(), own.get(), &own.size);
  connection.client_end = own.endpoint();
  connection.server = Fd(::accept4(listener.get(), seen.get(), &seen.size, SOCK_CLOEXEC));
  check(static_cast<bool>(connection.server), "accept");
  connection.seen_end = seen.endpoint();
  set_deadline(connection.server.get());
  check(connection.client_sends(100) && connection.server_sends(100), "first exchange");
  return connection;
}

void RouterBed::exchange_datagram(const IpAddress& virtual_address) const {
  const Family family = virtual_address.family();
  const Fd listener = server.run([&] { return open_server(server_end(family), SOCK_DGRAM); });
  const Fd sender = client.run([&] { return open_socket(family, SOCK_DGRAM); });
  SocketAddress target(Endpoint{virtual_address, kServicePort});
  check(::connect(sender.get(), target.get(), target.size) == 0, "connect");
  check(::send(sender.get(), "x", 1, 0) == 1, "send");
  SocketAddress peer;
  char byte = 0;
  check(::recvfrom(listener.get(), &byte, 1, 0, peer.get(), &peer.size) == 1, "receive");
  check(::sendto(listener.get(), "y", 1, 0, peer.get(), peer.size) == 1, "answer");
  check(::recv(sender.get(), &byte, 1, 0) == 1 && byte == 'y', "receive the answer");
}

void RouterBed::knock_unanswered(const IpAddress& virtual_address) const {
  if (server.exec("nft list table inet silent").status != 0) {
    server.must("nft 'table inet silent { chain in { type filter hook input priority filter; tcp dport 81 drop; }; }'");
  }
  const Fd knocker = client.run([&] { return open_socket(virtual_address.family(), SOCK_STREAM | SOCK_NONBLOCK); });
  SocketAddress target(Endpoint{virtual_address, 81});
  check(::connect(knocker.get(), target.get(), target.size) != 0 && errno == EINPROGRESS, "knock");
}

}  // namespace wsl4::test
