#include "daemon/addresses/lasting.h"

#include <utility>

namespace wsl4::addresses {

void LastingAddresses::configure(std::vector<WantedAddress> wanted) {
  for (const auto& former : std::exchange(wanted_, std::move(wanted))) former_.insert_or_assign(former.address, former);
  std::set<netlink::IpAddress> in_use;
  for (const auto& [address, former] : former_) in_use.insert(address);
  note_use(std::move(in_use), {});
}

void LastingAddresses::note_use(std::set<netlink::IpAddress> in_use, const std::set<netlink::IpAddress>& leftover) {
  std::erase_if(former_, [&in_use](const auto& item) { return !in_use.contains(item.first); });
  for (const auto& wanted : wanted_) in_use.erase(wanted.address);
  lasting_.clear();
  for (const auto& address : in_use) {
    if (leftover.contains(address)) continue;
    const auto former = former_.find(address);
    lasting_.push_back(former == former_.end() ? WantedAddress{address, {}, 0} : former->second);
  }
}

}  // namespace wsl4::addresses
