#include "daemon/flows/flow_ender.h"

#include "daemon/util/log.h"

namespace wsl4::flows {

netlink::Result<std::size_t> FlowEnder::end(std::span<const netlink::conntrack::Flow> flows, Tell tell) {
  if (flows.empty()) return 0;
  auto erased = conntrack_.erase(flows);
  for (const auto& flow : flows) {
    if (flow.tcp_state != netlink::conntrack::TcpState::kEstablished) continue;
    probe(flow.original.destination, flow.original.source);
    if (tell == Tell::kBothEnds) probe(flow.reply.destination, flow.reply.source);
  }
  return erased;
}

void FlowEnder::probe(const netlink::Endpoint& from, const netlink::Endpoint& to) {
  const auto sent = prober_.probe(from, to);
  if (!sent) log::debug("probe-failed", "to={} error=\"{}\"", to.to_string(), sent.error().message());
}

}  // namespace wsl4::flows
