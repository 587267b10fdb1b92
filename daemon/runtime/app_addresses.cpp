// VIPs and pool addresses on the interfaces.
#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/runtime/app.h"

namespace wsl4::runtime {

namespace asio = boost::asio;

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
  const auto now = wanted_.file->addresses.manage ? wanted_addresses_ : std::vector<addresses::WantedAddress>{};
  auto changes = addresses::beyond(place(now, topology, *present), place(addresses::wanted_addresses(next), topology, *present));
  for (const auto& missing : changes.missing) report.addresses_added.push_back({missing.address, missing.link.name});
  for (const auto& entry : changes.leftover) {
    const auto link = std::ranges::find(*links, entry.link_index, &netlink::rtnl::Link::index);
    report.addresses_removed.push_back({entry.address, link == links->end() ? "" : link->name});
  }
  std::ranges::move(changes.problems, std::back_inserter(report.warnings));
}

/// Any of them may be in use, until the counts tell.
void App::note_former(const std::vector<addresses::WantedAddress>& former) {
  std::set<netlink::IpAddress> in_use;
  for (const auto& wanted : former) former_addresses_.insert_or_assign(wanted.address, wanted);
  for (const auto& [address, wanted] : former_addresses_) in_use.insert(address);
  note_lasting(std::move(in_use), {});
}

/// Flows live on when their VIP or pool address has left the configuration, and on either node. The active has the address still
/// (`leftover`); the other one needs it when it takes the role.
void App::note_lasting(std::set<netlink::IpAddress> in_use, const std::set<netlink::IpAddress>& leftover) {
  std::erase_if(former_addresses_, [&in_use](const auto& item) { return !in_use.contains(item.first); });
  for (const auto& wanted : wanted_addresses_) in_use.erase(wanted.address);
  lasting_addresses_.clear();
  for (const auto& address : in_use) {
    if (leftover.contains(address)) continue;
    const auto former = former_addresses_.find(address);
    lasting_addresses_.push_back(former == former_addresses_.end() ? addresses::WantedAddress{address, {}, 0} : former->second);
  }
}

pair::MovingAddresses App::moving_addresses() const {
  auto moving = pair::moving_addresses(*wanted_.file);
  moving.wanted.insert(moving.wanted.end(), lasting_addresses_.begin(), lasting_addresses_.end());
  return moving;
}

void App::place_addresses(const std::set<netlink::IpAddress>& idle) {
  if (pair_) return pair_->set_addresses(moving_addresses(), idle);
  if (!wanted_.file->addresses.manage) return;
  addresses_placed(addresses_->reconcile(wanted_addresses_, idle));
  if (addresses_->busy() && !std::exchange(placing_, true)) asio::co_spawn(io_, place_rest(), asio::detached);
}

/// Piece by piece, so that everything else on this thread has its turn between them.
asio::awaitable<void> App::place_rest() {
  while (addresses_->busy()) {
    co_await asio::post(io_, asio::use_awaitable);
    addresses_placed(addresses_->go_on());
  }
  placing_ = false;
}

void App::addresses_placed(const std::optional<addresses::Reconciled>& result) {
  if (!result) return;
  const auto on_event = [this](std::string name, std::string detail) { events_.add(std::move(name), std::move(detail)); };
  addresses::tell(*result, on_event, address_problems_);
}

}  // namespace wsl4::runtime
