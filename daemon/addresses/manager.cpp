#include "daemon/addresses/manager.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/util/log.h"

namespace wsl4::addresses {

namespace {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

/// Switches and neighbours may miss one; three in as many seconds are customary.
constexpr int kAnnouncements = 3;

/// The machine's links and addresses at one moment.
struct Machine {
  std::vector<Link> links;
  std::vector<InterfaceAddress> addresses;

  [[nodiscard]] const Link* link(const std::string& name) const {
    const auto place = std::ranges::find(links, name, &Link::name);
    return place == links.end() ? nullptr : &*place;
  }
  [[nodiscard]] const Link* link(int index) const {
    const auto place = std::ranges::find(links, index, &Link::index);
    return place == links.end() ? nullptr : &*place;
  }
  [[nodiscard]] const InterfaceAddress* find(const IpAddress& address) const {
    const auto place = std::ranges::find(addresses, address, &InterfaceAddress::address);
    return place == addresses.end() ? nullptr : &*place;
  }
  [[nodiscard]] const Link* link_towards(const IpAddress& address) const {
    const InterfaceAddress* best = nullptr;
    for (const auto& candidate : addresses) {
      const auto* on = link(candidate.link_index);
      const bool single = candidate.prefix_length == candidate.address.bits();
      if (on == nullptr || on->loopback || single || !netlink::Prefix{candidate.address, candidate.prefix_length}.contains(address))
        continue;
      if (best == nullptr || candidate.prefix_length > best->prefix_length) best = &candidate;
    }
    return best == nullptr ? nullptr : link(best->link_index);
  }
};

InterfaceAddress single_address(const Link& link, const IpAddress& address) {
  return {link.index, address, static_cast<std::uint8_t>(address.bits()), netlink::rtnl::kAddressProtocol};
}

}  // namespace

std::vector<WantedAddress> wanted_addresses(const config::Config& config) {
  std::vector<WantedAddress> wanted;
  for (const auto& service : config.services) {
    for (const auto& listen : service.listen) wanted.push_back({listen.address, service.interface});
  }
  for (const auto& pool : config.pools) {
    for (const auto& address : pool.addresses) wanted.push_back({address, pool.interface});
  }
  std::ranges::sort(wanted);
  const auto repeated = std::ranges::unique(wanted, {}, &WantedAddress::address);
  wanted.erase(repeated.begin(), repeated.end());
  return wanted;
}

Reconciled Manager::reconcile(const std::vector<WantedAddress>& wanted, const std::function<bool(const IpAddress&)>& in_use,
                              const std::function<bool(const std::vector<OwnAddress>&)>& before_add) {
  Reconciled result;
  auto links = rtnl_.links();
  auto present = rtnl_.addresses();
  if (!links || !present) {
    result.problems.push_back(!links ? links.error().message() : present.error().message());
    return result;
  }
  const Machine machine{std::move(*links), std::move(*present)};

  std::set<IpAddress> wanted_set;
  std::vector<std::pair<const Link*, IpAddress>> missing;
  auto own_next = own_;
  for (const auto& [address, interface] : wanted) {
    wanted_set.insert(address);
    if (machine.find(address) != nullptr) continue;
    const Link* link = interface.empty() ? machine.link_towards(address) : machine.link(interface);
    if (link == nullptr) {
      result.problems.push_back(
          interface.empty() ? fmt::format("{}: no interface has a prefix that covers it; set `interface`", address.to_string())
                            : fmt::format("{}: there is no interface {}", address.to_string(), interface));
      continue;
    }
    missing.emplace_back(link, address);
    own_next.push_back({address, link->name});
  }
  // Ours by the kernel's mark although the list does not know them: a crash came between.
  for (const auto& entry : machine.addresses) {
    const auto* link = machine.link(entry.link_index);
    if (entry.protocol == netlink::rtnl::kAddressProtocol && link != nullptr) own_next.push_back({entry.address, link->name});
  }
  std::ranges::sort(own_next);
  const auto repeated = std::ranges::unique(own_next, {}, &OwnAddress::address);
  own_next.erase(repeated.begin(), repeated.end());

  if (own_next != own_ && !before_add(own_next)) {
    result.problems.emplace_back("addresses were not added: the state file cannot be written");
    return result;
  }
  own_ = std::move(own_next);

  for (const auto& [link, address] : missing) {
    const auto added = rtnl_.add_address(single_address(*link, address));
    if (!added) {
      result.problems.push_back(added.error().message());
      continue;
    }
    result.added.push_back(address);
    announcing_[address] = {*link, kAnnouncements};
  }
  std::erase_if(own_, [&](const OwnAddress& own) {
    if (wanted_set.contains(own.address) || in_use(own.address)) return false;
    announcing_.erase(own.address);
    const auto* link = machine.link(own.interface);
    const auto* entry = machine.find(own.address);
    if (link == nullptr || entry == nullptr || entry->link_index != link->index) return true;  // gone already
    const auto removed = rtnl_.remove_address(*entry);
    if (!removed) {
      result.problems.push_back(removed.error().message());
      return false;
    }
    result.removed.push_back(own.address);
    return true;
  });
  announce_again();
  return result;
}

void Manager::announce_again() {
  for (auto& [address, pending] : announcing_) {
    announce(pending.link, address);
    --pending.left;
  }
  std::erase_if(announcing_, [](const auto& item) { return item.second.left == 0; });
}

void Manager::announce(const Link& link, const IpAddress& address) {
  const auto sent = announcer_.announce(link, address);
  if (!sent)
    log::warning("announcement-failed", "address={} interface={} error=\"{}\"", address.to_string(), link.name,
                 sent.error().message());
}

}  // namespace wsl4::addresses
