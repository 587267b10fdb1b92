#include "daemon/addresses/manager.h"

#include <algorithm>

#include "daemon/util/log.h"

namespace wsl4::addresses {

namespace {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

/// Switches and neighbours may miss one; three in as many seconds are customary.
constexpr int kAnnouncements = 3;

InterfaceAddress ours(const Missing& missing) {
  const auto length = missing.prefix_length != 0 ? missing.prefix_length : static_cast<std::uint8_t>(missing.address.bits());
  return {missing.link.index, missing.address, length, netlink::rtnl::kAddressProtocol};
}

}  // namespace

Reconciled Manager::reconcile(const std::vector<WantedAddress>& wanted, const std::set<IpAddress>& idle) {
  const bool same = !rtnl_.changed() && in_order_ && idle.empty() && wanted == wanted_;
  auto result = same ? Reconciled{} : look_and_mend(wanted, idle);
  announce_again();
  return result;
}

Reconciled Manager::withdraw() {
  in_order_ = false;
  leftover_.clear();
  announcing_.clear();
  return remove_ours(rtnl_);
}

Reconciled Manager::look_and_mend(const std::vector<WantedAddress>& wanted, const std::set<IpAddress>& idle) {
  Reconciled result;
  in_order_ = false;
  auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) {
    result.problems.push_back(!links ? links.error().message() : present.error().message());
    return result;
  }
  auto placement = place(wanted, Topology(std::move(*links), *present), *present);
  result.problems = std::move(placement.problems);
  for (const auto& missing : placement.missing) add(missing, result);
  for (const auto& entry : placement.surplus) remove(entry, result.problems);
  leftover_.clear();
  for (const auto& entry : placement.leftover) {
    const bool gone = idle.contains(entry.address) && remove(entry, result.problems);
    (gone ? result.removed : leftover_).push_back(entry.address);
  }
  in_order_ = placement.missing.empty() && placement.surplus.empty() && result.problems.empty();
  wanted_ = wanted;
  return result;
}

void Manager::add(const Missing& missing, Reconciled& result) {
  const auto added = rtnl_.add_address(ours(missing));
  if (!added) {
    result.problems.push_back(added.error().message());
    return;
  }
  result.added.push_back(missing.address);
  announcing_[missing.address] = {missing.link, kAnnouncements};
}

bool Manager::remove(const InterfaceAddress& entry, std::vector<std::string>& problems) {
  const auto pending = announcing_.find(entry.address);
  if (pending != announcing_.end() && pending->second.link.index == entry.link_index) announcing_.erase(pending);
  const auto removed = rtnl_.remove_address(entry);
  if (!removed) problems.push_back(removed.error().message());
  return removed.has_value();
}

void Manager::announce_again() {
  for (auto& [address, pending] : announcing_) {
    announce(pending.link, address);
    --pending.left;
  }
  std::erase_if(announcing_, [](const auto& item) { return item.second.left == 0; });
}

std::vector<std::string> Manager::announce_all() {
  auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) return {!links ? links.error().message() : present.error().message()};
  for (const auto& entry : *present) {
    const auto link = std::ranges::find(*links, entry.link_index, &Link::index);
    if (is_ours(entry) && link != links->end()) announce(*link, entry.address);
  }
  return {};
}

void Manager::announce(const Link& link, const IpAddress& address) {
  const auto sent = announcer_.announce(link, address);
  if (!sent)
    log::warning("announcement-failed", "address={} interface={} error=\"{}\"", address.to_string(), link.name,
                 sent.error().message());
}

Reconciled remove_ours(netlink::rtnl::Rtnl& rtnl) {
  Reconciled result;
  const auto present = rtnl.addresses();
  if (!present) {
    result.problems.push_back(present.error().message());
    return result;
  }
  for (const auto& entry : *present) {
    if (!is_ours(entry)) continue;
    const auto removed = rtnl.remove_address(entry);
    if (removed)
      result.removed.push_back(entry.address);
    else
      result.problems.push_back(removed.error().message());
  }
  return result;
}

}  // namespace wsl4::addresses
