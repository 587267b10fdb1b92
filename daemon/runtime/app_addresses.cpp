// VIPs and pool addresses on the interfaces.
#include <algorithm>

#include "daemon/runtime/app.h"

namespace wsl4::runtime {

/// Of what moves with the role only where this node has it.
void App::foresee(const config::Config& next, control::ReloadReport& report) const {
  for (const auto& [name, value] : host::wanted_sysctls(next)) {
    const auto present = sysctls_->read(name);
    if (present && *present != value) report.sysctls.push_back({name, *present, value});
  }
  if (!is_active() || !next.addresses.manage) return;
  const auto rtnl = netlink::rtnl::open_rtnl();
  if (!rtnl) return report.warnings.push_back("addresses: " + rtnl.error().message());
  const auto links = (*rtnl)->links();
  const auto present = (*rtnl)->addresses();
  if (!links || !present) return report.warnings.push_back("addresses: " + (links ? present.error() : links.error()).message());
  const auto& ha = wanted_.file->ha;
  const addresses::Topology topology(*links, *present, ha && ha->virtual_mac ? std::optional(ha->virtual_router_id) : std::nullopt);
  const auto now =
      wanted_.file->addresses.manage ? addresses::wanted_addresses(*wanted_.file) : std::vector<addresses::WantedAddress>{};
  auto changes = addresses::beyond(place(now, topology, *present), place(addresses::wanted_addresses(next), topology, *present));
  for (const auto& missing : changes.missing) report.addresses_added.push_back({missing.address, missing.link.name});
  for (const auto& entry : changes.leftover) {
    const auto link = std::ranges::find(*links, entry.link_index, &netlink::rtnl::Link::index);
    report.addresses_removed.push_back({entry.address, link == links->end() ? "" : link->name});
  }
  std::ranges::move(changes.problems, std::back_inserter(report.warnings));
}

addresses::MovingAddresses App::moving_addresses() const {
  auto moving = addresses::moving_addresses(*wanted_.file);
  const auto& lasting = lasting_addresses_.addresses();
  moving.wanted.insert(moving.wanted.end(), lasting.begin(), lasting.end());
  return moving;
}

void App::place_addresses(std::set<netlink::IpAddress> idle) {
  if (pair_) return pair_->set_addresses(moving_addresses(), std::move(idle));
  addresses_->set(moving_addresses(), std::move(idle));
}

}  // namespace wsl4::runtime
