#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/conntrack/conntrack.h"
#include "netlink/conntrack/event_filter.h"
#include "netlink/conntrack/parser.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace wsl4::netlink::conntrack {

namespace {

// An event with everything that ctnetlink can say (both tuples, labels, helper, timestamps) stays below 1 KiB; the kernel gives
// each one a datagram of its own.
constexpr std::size_t kEventSize = 2048;
constexpr std::size_t kAtOnce = 64;
constexpr int kGroups[] = {NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY};

std::optional<EventKind> kind_of(const Message& message) {
  if (message.type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE)) return EventKind::kDestroy;
  if (message.type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW)) return std::nullopt;
  return (message.flags & (NLM_F_CREATE | NLM_F_EXCL)) != 0 ? EventKind::kNew : EventKind::kUpdate;
}

class KernelEvents final : public EventSource {
 public:
  explicit KernelEvents(Socket socket) : socket_(std::move(socket)) {
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      pieces_[i] = {buffer_[i].data(), kEventSize};
      headers_[i] = {};
      headers_[i].msg_hdr.msg_iov = &pieces_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
      headers_[i].msg_hdr.msg_name = &senders_[i];
    }
  }

  [[nodiscard]] int fd() const override { return socket_.fd(); }

  Result<void> listen(bool on) override {
    for (const int group : kGroups) {
      if (::setsockopt(socket_.fd(), SOL_NETLINK, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group, sizeof group) != 0)
        return failure_from_errno("listen to conntrack events");
    }
    return {};
  }

  Result<Drained> drain(std::size_t budget, const EventSink& sink) override {
    Drained drained;
    std::size_t read = 0;
    while (read < budget) {
      const auto count = receive(std::min(budget - read, kAtOnce));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return drained;
      if (count < 0 && errno != ENOBUFS) return failure_from_errno("read conntrack events");
      if (count < 0) {
        drained.overrun = true;
        continue;
      }
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) deliver(i, sink, drained);
      read += static_cast<std::size_t>(count);
    }
    drained.more = true;
    return drained;
  }

 private:
  ssize_t receive(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) headers_[i].msg_hdr.msg_namelen = sizeof senders_[i];
    return ::recvmmsg(socket_.fd(), headers_.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  }

  void deliver(std::size_t i, const EventSink& sink, Drained& drained) const {
    if (senders_[i].nl_pid != 0) return;  // not the kernel
    if ((headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      drained.overrun = true;
      return;
    }
    MessageReader reader({buffer_[i].data(), headers_[i].msg_len});
    while (const auto message = reader.next()) {
      const auto kind = kind_of(*message);
      if (!kind) continue;
      if (const auto flow = parse_flow(message->payload)) {
        ++drained.events;
        sink({*kind, *flow});
      }
    }
  }

  Socket socket_;
  std::array<std::array<std::uint8_t, kEventSize>, kAtOnce> buffer_;
  std::array<iovec, kAtOnce> pieces_;
  std::array<mmsghdr, kAtOnce> headers_;
  std::array<sockaddr_nl, kAtOnce> senders_{};
};

}  // namespace

Result<std::unique_ptr<EventSource>> open_events(const EventOptions& options) {
  auto socket = Socket::open({.bus = NETLINK_NETFILTER,
                              .groups = {},
                              .non_blocking = true,
                              .receive_buffer = options.receive_buffer,
                              .report_lost_broadcasts = true});
  if (!socket) return tl::make_unexpected(socket.error());
  if (auto attached = attach_event_filter(socket->fd(), options); !attached) return tl::make_unexpected(attached.error());
  auto events = std::make_unique<KernelEvents>(std::move(*socket));
  if (auto listening = events->listen(true); !listening) return tl::make_unexpected(listening.error());
  return events;
}

}  // namespace wsl4::netlink::conntrack
