#include "daemon/config/own_addresses.h"

namespace wsl4::config {
namespace {

/// each(address, what it is, whose it is)
template <class Each>
void visit_own(const Config& config, const Each& each) {
  for (const Pool& pool : config.pools)
    for (const IpAddress& address : pool.addresses) each(address, "a pool address", pool.name);
  if (config.ha) {
    each(config.ha->listen.address, "ha.listen", "");
    each(config.ha->peer.address, "ha.peer", "");
    if (config.ha->unicast_peer) each(*config.ha->unicast_peer, "ha.unicast_peer", "");
  }
  if (!config.addresses.manage) return;
  for (const Service& service : config.services)
    for (const Endpoint& listen : service.listen) each(listen.address, "a VIP", service.name);
  for (const Prefix& extra : config.addresses.extra) each(extra.address, "in addresses.extra", "");
}

}  // namespace

std::unordered_set<IpAddress> own_addresses(const Config& config) {
  std::unordered_set<IpAddress> own;
  visit_own(config, [&](const IpAddress& address, auto&&...) { own.insert(address); });
  return own;
}

std::string describe_own(const Config& config, const IpAddress& address) {
  std::string description;
  visit_own(config, [&](const IpAddress& one, std::string_view what, std::string_view whose) {
    if (one != address || !description.empty()) return;
    description = what;
    if (!whose.empty()) description.append(" of ").append(whose);
  });
  return description;
}

}  // namespace wsl4::config
