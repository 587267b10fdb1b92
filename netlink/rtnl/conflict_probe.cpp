#include "netlink/rtnl/conflict_probe.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "netlink/rtnl/packet_socket.h"

namespace wsl4::netlink::rtnl {

namespace {

constexpr int kReadAtOnce = 256;

/// Of IPv6 only neighbour advertisements, or a busy machine's traffic would all be copied here. Offsets count from the IPv6 header.
Result<void> take_advertisements_only(const Fd& socket) {
  constexpr std::uint32_t kNextHeader = 6, kMessageType = 40, kWhole = 0xffff;
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kNextHeader),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kMessageType),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kWhole),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog filter{program.size(), program.data()};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
    return failure_from_errno("filter neighbour advertisements");
  return {};
}

/// From now on all packets of that type come there, of all links, but those that this machine sends.
Result<void> listen(const Fd& socket, std::uint16_t ethertype) {
  const int on = 1;
  sockaddr_ll all{};
  all.sll_family = AF_PACKET;
  all.sll_protocol = htons(ethertype);
  if (::setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&all), sizeof all) != 0)
    return failure_from_errno("listen for answers about addresses");
  return {};
}

class PacketConflictProbe final : public ConflictProbe {
 public:
  PacketConflictProbe(Fd arp, Fd ipv6) : arp_(std::move(arp)), ipv6_(std::move(ipv6)) {}

  Result<void> ask(const Link& link, const IpAddress& address) override {
    return send(arp_, link, address, probe, "ask who else has");
  }

  std::vector<Holder> heard() override {
    std::vector<Holder> holders;
    read(arp_, ETHERTYPE_ARP, holders);
    read(ipv6_, ETHERTYPE_IPV6, holders);
    return holders;
  }

 private:
  static void read(const Fd& socket, std::uint16_t ethertype, std::vector<Holder>& holders) {
    std::array<std::uint8_t, 512> packet{};
    for (int i = 0; i < kReadAtOnce; ++i) {
      const auto size = ::recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
      if (size < 0) return;
      if (const auto holder = holder_in(ethertype, std::span(packet).first(static_cast<std::size_t>(size))))
        holders.push_back(*holder);
    }
  }

  Fd arp_, ipv6_;
};

}  // namespace

Result<std::unique_ptr<ConflictProbe>> open_conflict_probe() {
  auto arp = open_packet_socket();
  auto ipv6 = open_packet_socket();
  for (const auto* socket : {&arp, &ipv6})
    if (!*socket) return tl::make_unexpected(socket->error());
  auto ready = listen(*arp, ETHERTYPE_ARP);
  if (ready) ready = take_advertisements_only(*ipv6);
  if (ready) ready = listen(*ipv6, ETHERTYPE_IPV6);
  if (!ready) return tl::make_unexpected(ready.error());
  return std::make_unique<PacketConflictProbe>(std::move(*arp), std::move(*ipv6));
}

}  // namespace wsl4::netlink::rtnl
