#include "netlink/socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace wsl4::netlink {

namespace {

/// One address or the other: the C interface wants the general type.
sockaddr* as_sockaddr(sockaddr_nl& address) { return reinterpret_cast<sockaddr*>(&address); }

bool set_option(int fd, int level, int option, int value) { return ::setsockopt(fd, level, option, &value, sizeof value) == 0; }

/// Forced where the rights allow it; else the kernel cuts the size down to its limit.
bool set_buffer(int fd, int forced, int limited, std::size_t size) {
  // The kernel doubles the value for its own bookkeeping, and refuses what overflows.
  const auto value = static_cast<int>(std::min<std::size_t>(size, INT_MAX / 2));
  return set_option(fd, SOL_SOCKET, forced, value) || set_option(fd, SOL_SOCKET, limited, value);
}

bool configure(int fd, const SocketOptions& options) {
  if (options.receive_buffer > 0 && !set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer)) return false;
  if (options.send_buffer > 0 && !set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer)) return false;
  // Without it an error message carries the whole request, up to 64 KiB of elements.
  if (!set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1)) return false;
  return !options.report_lost_broadcasts || set_option(fd, SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1);
}

}  // namespace

Result<Socket> Socket::open(const SocketOptions& options) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (options.non_blocking ? SOCK_NONBLOCK : 0), options.bus));
  if (!fd) return failure_from_errno("open netlink socket");
  if (!configure(fd.get(), options)) return failure_from_errno("configure netlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.get(), as_sockaddr(address), sizeof address) != 0) return failure_from_errno("bind netlink socket");
  socklen_t length = sizeof address;
  if (::getsockname(fd.get(), as_sockaddr(address), &length) != 0) return failure_from_errno("read netlink port");
  for (const auto group : options.groups) {
    if (!set_option(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, static_cast<int>(group)))
      return failure_from_errno("join netlink group");
  }
  return Socket(std::move(fd), address.nl_pid);
}

Result<void> Socket::send(std::span<const std::uint8_t> datagram) {
  for (;;) {
    if (::send(fd_.get(), datagram.data(), datagram.size(), 0) >= 0) return {};
    if (errno != EINTR) return failure_from_errno("send to kernel");
  }
}

Result<Received> Socket::receive(std::span<std::uint8_t> buffer) {
  for (;;) {
    sockaddr_nl sender{};
    iovec vector{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    const auto length = ::recvmsg(fd_.get(), &header, 0);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Received{Received::Kind::kNothing, {}};
      if (errno == ENOBUFS) return Received{Received::Kind::kOverrun, {}};
      return failure_from_errno("receive from kernel");
    }
    if ((header.msg_flags & MSG_TRUNC) != 0) return failure(EMSGSIZE, "receive from kernel");
    if (sender.nl_pid != 0) continue;
    return Received{Received::Kind::kData, buffer.first(static_cast<std::size_t>(length))};
  }
}

}  // namespace wsl4::netlink
