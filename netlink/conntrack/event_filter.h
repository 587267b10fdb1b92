// The classic BPF program that decides in the kernel which conntrack events reach a socket.
#pragma once

#include "netlink/conntrack/conntrack.h"
#include "netlink/result.h"

namespace wsl4::netlink::conntrack {

/// Attaches the filter that `options` ask for to a ctnetlink socket. To be done before the socket joins a group.
Result<void> attach_event_filter(int fd, const EventOptions& options);

}  // namespace wsl4::netlink::conntrack
