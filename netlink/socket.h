// A netlink socket (netlink(7)): bound, close-on-exec, with buffers as large as asked for, and overruns as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "netlink/handle.h"
#include "netlink/result.h"

namespace wsl4::netlink {

struct SocketOptions {
  int bus = 0;                   // NETLINK_NETFILTER, NETLINK_ROUTE
  std::vector<unsigned> groups;  // multicast groups by number (NFNLGRP_*, RTNLGRP_*)
  bool non_blocking = false;
  std::size_t receive_buffer = 0;       // bytes; 0: the system's default
  std::size_t send_buffer = 0;          // bytes; one message can be no longer than this
  bool report_lost_broadcasts = false;  // NETLINK_BROADCAST_ERROR: the kernel is told of an overrun (ctnetlink sends DESTROY again)
};

struct Received {
  enum class Kind : std::uint8_t { kData, kNothing, kOverrun };
  Kind kind = Kind::kNothing;          // kNothing: non-blocking and nothing there; kOverrun: messages were lost (ENOBUFS)
  std::span<const std::uint8_t> data;  // one datagram: whole netlink messages, within the caller's buffer
};

/// The largest datagram that the kernel builds for a dump; acknowledgements and events are smaller (kernel af_netlink.c).
inline constexpr std::size_t kReceiveSize = 32768;

class Socket {
 public:
  /// Buffers are forced beyond the system's limits with CAP_NET_ADMIN, and else as large as the limits allow. EPERM where a group
  /// needs a right that is missing.
  static Result<Socket> open(const SocketOptions& options);
  /// Of a descriptor that is bound or connected already.
  Socket(Fd fd, std::uint32_t port_id) : fd_(std::move(fd)), port_id_(port_id) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// What the kernel puts into nlmsg_pid of answers to us, and of events that we caused.
  [[nodiscard]] std::uint32_t port_id() const { return port_id_; }

  /// To the kernel, as one datagram. Restarts after signals. EMSGSIZE: longer than the send buffer.
  Result<void> send(std::span<const std::uint8_t> datagram);

  /// The next datagram from the kernel (others' are dropped); blocks unless the socket is non-blocking. EMSGSIZE: `buffer` was too
  /// small and the datagram is lost.
  Result<Received> receive(std::span<std::uint8_t> buffer);

 private:
  Fd fd_;
  std::uint32_t port_id_ = 0;
};

}  // namespace wsl4::netlink
