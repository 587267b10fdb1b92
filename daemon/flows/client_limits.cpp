#include "daemon/flows/client_limits.h"

#include "daemon/util/log.h"

namespace wsl4::flows {

void ClientLimits::follow(const service::StateChange& change, const service::DesiredState& before) {
  for (const auto& [name, next] : change.services) {
    const auto present = before.services.find(name);
    if (present == before.services.end()) continue;
    for (const auto& listen : present->second.listen) limited_.erase({present->second.protocol, listen});
  }
  for (const auto& [name, next] : change.services) {
    if (!next || next->client_connections == 0) continue;
    for (const auto& listen : next->listen) limited_.emplace(next->protocol, listen);
  }
}

bool ClientLimits::concern(const netlink::conntrack::Flow& flow) const {
  return !limited_.empty() && limited_.contains({flow.original.protocol, flow.original.destination});
}

void ClientLimits::announce(const netlink::conntrack::Flow& flow) {
  const auto told = prober_.announce(flow.original.protocol, flow.original.source, flow.original.destination);
  if (!told && !failing_) log::warning("copy-not-counted", "error=\"{}\"", told.error().message());
  failing_ = !told;
}

}  // namespace wsl4::flows
