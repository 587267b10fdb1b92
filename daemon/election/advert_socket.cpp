#include "daemon/election/advert_socket.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace wsl4::election {

namespace {

using netlink::Result;

constexpr int kControlClass = 0xc0;  // CS6, network control (RFC 4594 3.2)

template <class Value>
bool set(int fd, int level, int option, const Value& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

template <class Raw>
Raw raw_address(const IpAddress& address) {
  Raw raw{};
  std::memcpy(&raw, address.bytes().data(), std::min(sizeof raw, address.size()));
  return raw;
}

template <class Raw>
IpAddress address_of(const Raw& raw) {
  std::array<std::uint8_t, sizeof(Raw)> bytes{};
  std::memcpy(bytes.data(), &raw, sizeof raw);
  return *IpAddress::from_bytes(bytes);
}

bool set_up_ipv4(int fd, int interface_index, bool unicast) {
  const bool sends = set(fd, IPPROTO_IP, IP_TTL, kAdvertTtl) && set(fd, IPPROTO_IP, IP_MULTICAST_TTL, kAdvertTtl) &&
                     set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) && set(fd, IPPROTO_IP, IP_TOS, kControlClass);
  const bool tells =
      set(fd, IPPROTO_IP, IP_RECVTTL, 1) && set(fd, IPPROTO_IP, IP_PKTINFO, 1) && set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  ip_mreqn group{};
  group.imr_multiaddr = raw_address<in_addr>(advert_group(Family::kIpv4));
  group.imr_ifindex = interface_index;
  return sends && tells && set(fd, IPPROTO_IP, IP_MULTICAST_IF, group) &&
         (unicast || set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, group));
}

bool set_up_ipv6(int fd, int interface_index, bool unicast) {
  const bool sends = set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kAdvertTtl) &&
                     set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kAdvertTtl) && set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
                     set(fd, IPPROTO_IPV6, IPV6_TCLASS, kControlClass);
  const bool tells = set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  ipv6_mreq group{};
  group.ipv6mr_multiaddr = raw_address<in6_addr>(advert_group(Family::kIpv6));
  group.ipv6mr_interface = static_cast<unsigned>(interface_index);
  return sends && tells && set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, interface_index) &&
         (unicast || set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, group));
}

/// A message with where it comes from, where it goes, and what the kernel tells beside it.
struct Envelope {
  sockaddr_storage peer{};
  alignas(cmsghdr) std::array<std::uint8_t, 256> control{};
  iovec data{};
  msghdr header{};

  Envelope(void* bytes, std::size_t size) : data{bytes, size} {
    header.msg_name = &peer;
    header.msg_namelen = sizeof peer;
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }

  template <class Value>
  void put(int level, int type, const Value& value) {
    header.msg_controllen = CMSG_SPACE(sizeof value);
    cmsghdr* message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = level;
    message->cmsg_type = type;
    message->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(message), &value, sizeof value);
  }

  template <class Value>
  std::optional<Value> get(int level, int type) {
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
      if (message->cmsg_level != level || message->cmsg_type != type || message->cmsg_len < CMSG_LEN(sizeof(Value))) continue;
      Value value{};
      std::memcpy(&value, CMSG_DATA(message), sizeof value);
      return value;
    }
    return {};
  }
};

void address_ipv4(Envelope& envelope, const IpAddress& source, const IpAddress& destination, int interface_index) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr = raw_address<in_addr>(destination);
  std::memcpy(&envelope.peer, &to, sizeof to);
  envelope.header.msg_namelen = sizeof to;
  in_pktinfo from{};
  from.ipi_ifindex = interface_index;
  from.ipi_spec_dst = raw_address<in_addr>(source);
  envelope.put(IPPROTO_IP, IP_PKTINFO, from);
}

void address_ipv6(Envelope& envelope, const IpAddress& source, const IpAddress& destination, int interface_index) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_addr = raw_address<in6_addr>(destination);
  if (destination.is_link_local() || destination.is_multicast()) to.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
  std::memcpy(&envelope.peer, &to, sizeof to);
  envelope.header.msg_namelen = sizeof to;
  in6_pktinfo from{};
  from.ipi6_ifindex = static_cast<unsigned>(interface_index);
  from.ipi6_addr = raw_address<in6_addr>(source);
  envelope.put(IPPROTO_IPV6, IPV6_PKTINFO, from);
}

/// A raw IPv4 socket gives the IP header too (raw(7)).
std::optional<Packet> read_ipv4(Envelope& envelope, std::span<const std::uint8_t> bytes) {
  const auto header_size = bytes.empty() ? 0U : (bytes[0] & 0xfU) * 4U;
  const auto to = envelope.get<in_pktinfo>(IPPROTO_IP, IP_PKTINFO);
  if (header_size < 20 || header_size > bytes.size() || !to) return {};
  sockaddr_in from{};
  std::memcpy(&from, &envelope.peer, sizeof from);
  return Packet{address_of(from.sin_addr), address_of(to->ipi_addr), envelope.get<int>(IPPROTO_IP, IP_TTL).value_or(-1),
                bytes.subspan(header_size)};
}

std::optional<Packet> read_ipv6(Envelope& envelope, std::span<const std::uint8_t> bytes) {
  const auto to = envelope.get<in6_pktinfo>(IPPROTO_IPV6, IPV6_PKTINFO);
  if (!to) return {};
  sockaddr_in6 from{};
  std::memcpy(&from, &envelope.peer, sizeof from);
  return Packet{address_of(from.sin6_addr), address_of(to->ipi6_addr), envelope.get<int>(IPPROTO_IPV6, IPV6_HOPLIMIT).value_or(-1),
                bytes};
}

}  // namespace

Result<AdvertSocket> AdvertSocket::open(Family family, const std::string& interface, bool unicast) {
  const auto what = fmt::format("open a socket for adverts on {}", interface);
  const auto index = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (index == 0) return netlink::failure_from_errno(what);
  netlink::Fd fd(::socket(netlink::to_af(family), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kVrrpProtocol));
  if (!fd) return netlink::failure_from_errno(what);
  const bool bound =
      ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), static_cast<socklen_t>(interface.size())) == 0;
  const bool ready =
      bound && (family == Family::kIpv4 ? set_up_ipv4(fd.get(), index, unicast) : set_up_ipv6(fd.get(), index, unicast));
  if (!ready) return netlink::failure_from_errno(what);
  return AdvertSocket(std::move(fd), family, index);
}

Result<void> AdvertSocket::send(std::span<const std::uint8_t> message, const IpAddress& source,
                                const IpAddress& destination) const {
  // sendmsg does not write to what it is given.
  Envelope envelope(const_cast<std::uint8_t*>(message.data()), message.size());
  if (family_ == Family::kIpv4) {
    address_ipv4(envelope, source, destination, interface_index_);
  } else {
    address_ipv6(envelope, source, destination, interface_index_);
  }
  if (::sendmsg(fd_.get(), &envelope.header, MSG_DONTWAIT) >= 0) return {};
  return netlink::failure_from_errno(fmt::format("send an advert from {} to {}", source.to_string(), destination.to_string()));
}

std::optional<Packet> AdvertSocket::receive(PacketBuffer& buffer) const {
  Envelope envelope(buffer.data(), buffer.size());
  const auto size = ::recvmsg(fd_.get(), &envelope.header, MSG_DONTWAIT);
  if (size < 0) return {};
  const auto bytes = std::span<const std::uint8_t>(buffer).first(static_cast<std::size_t>(size));
  return family_ == Family::kIpv4 ? read_ipv4(envelope, bytes) : read_ipv6(envelope, bytes);
}

}  // namespace wsl4::election
