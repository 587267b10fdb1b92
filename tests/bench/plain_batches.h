// The reference of ctinject: flows put into connection tracking with nothing around it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "netlink/conntrack/flow.h"

namespace wsl4::bench {

/// Of the processor's time that this process has had, the kernel's part included: other programs do not count.
[[nodiscard]] double processor_seconds();

/// One message a flow, built by libmnl, 256 in a send, of which the last asks for an answer. Seconds of processor time; none if one
/// was refused. IPv4 and TCP.
std::optional<double> put_plainly(std::uint32_t count, const std::function<netlink::conntrack::Flow(std::uint32_t)>& flow);

}  // namespace wsl4::bench
