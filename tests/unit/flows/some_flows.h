// Flows to count.
#pragma once

#include <string>

#include "daemon/flows/flow_counter.h"

namespace wsl4::flows {

using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

inline const service::MarkLayout kMark;

/// An established flow of client port `port` to backend `id` over the pool address 198.18.2.`snat`.
inline Flow flow(std::uint16_t port, service::BackendId id, int snat = 1) {
  const auto address = [](const std::string& text) { return *netlink::IpAddress::parse(text); };
  Flow flow;
  flow.original.source = {address("198.18.1.10"), port};
  flow.original.destination = {address("198.18.1.100"), 443};
  flow.reply.source = {address("198.18.2.11"), 8888};
  flow.reply.destination = {address("198.18.2.10" + std::to_string(snat)), port};
  flow.id = 1000U + port;
  flow.status =
      netlink::conntrack::status::kAssured | netlink::conntrack::status::kSeenReply | netlink::conntrack::status::kConfirmed;
  flow.mark = kMark.to_mark(id);
  flow.tcp_state = TcpState::kEstablished;
  return flow;
}

inline Flow closing(Flow flow) {
  flow.mark |= kMark.closing_bit();
  flow.tcp_state = TcpState::kFinWait;
  return flow;
}

inline Flow half_open(Flow flow) {
  flow.status = netlink::conntrack::status::kConfirmed;
  flow.tcp_state = TcpState::kSynSent;
  return flow;
}

}  // namespace wsl4::flows
