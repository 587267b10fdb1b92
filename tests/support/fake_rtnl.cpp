#include "tests/support/fake_rtnl.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include <fmt/format.h>

namespace wsl4::test {

using namespace netlink;

namespace {

std::string what(const char* verb, const rtnl::InterfaceAddress& address) {
  return fmt::format("{} address {}/{}", verb, address.address.to_string(), address.prefix_length);
}

}  // namespace

int FakeRtnl::add_link(const std::string& name) {
  changed_ = true;
  const int index = ++last_index_;
  links_.push_back({index, name, true, true, name == "lo", {}});
  if (name != "lo") links_.back().mac = {0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(index)};
  return index;
}

rtnl::Link& FakeRtnl::link(int index) {
  const auto place = std::ranges::find(links_, index, &Link::index);
  changed_ = true;
  if (place == links_.end()) throw std::logic_error("FakeRtnl: no such link");
  return *place;
}

Result<std::vector<rtnl::Link>> FakeRtnl::links() {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  return links_;
}

Result<std::vector<rtnl::InterfaceAddress>> FakeRtnl::addresses() {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  return addresses_;
}

Result<std::vector<rtnl::Neighbour>> FakeRtnl::neighbours() {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  return neighbours_;
}

std::vector<rtnl::InterfaceAddress>::iterator FakeRtnl::find(const InterfaceAddress& address) {
  return std::ranges::find_if(addresses_, [&](const InterfaceAddress& other) {
    const bool same_prefix = address.address.family() == Family::kIpv6 || other.prefix_length == address.prefix_length;
    return other.link_index == address.link_index && other.address == address.address && same_prefix;
  });
}

std::vector<Result<void>> FakeRtnl::add_addresses(std::span<const InterfaceAddress> addresses) {
  std::vector<Result<void>> outcomes;
  for (const auto& address : addresses) outcomes.push_back(add(address));
  return outcomes;
}

std::vector<Result<void>> FakeRtnl::remove_addresses(std::span<const InterfaceAddress> addresses) {
  std::vector<Result<void>> outcomes;
  for (const auto& address : addresses) outcomes.push_back(remove(address));
  return outcomes;
}

Result<void> FakeRtnl::add(const InterfaceAddress& address) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  if (refused.contains(address.address)) return failure(refused.at(address.address), what("add", address));
  if (std::ranges::find(links_, address.link_index, &Link::index) == links_.end()) return failure(ENODEV, what("add", address));
  if (find(address) != addresses_.end()) return failure(EEXIST, what("add", address));
  addresses_.push_back(address);
  changed_ = true;
  return {};
}

Result<void> FakeRtnl::remove(const InterfaceAddress& address) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  if (refused.contains(address.address)) return failure(refused.at(address.address), what("remove", address));
  if (std::ranges::find(links_, address.link_index, &Link::index) == links_.end()) return failure(ENODEV, what("remove", address));
  const auto place = find(address);
  if (place == addresses_.end()) return failure(EADDRNOTAVAIL, what("remove", address));
  addresses_.erase(place);
  changed_ = true;
  return {};
}

Result<void> FakeRtnl::add_macvlan(const rtnl::NewMacvlan& link) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  const auto what = fmt::format("make the macvlan {}", link.name);
  if (std::ranges::find(links_, link.name, &Link::name) != links_.end()) return failure(EEXIST, what);
  const auto parent = std::ranges::find(links_, link.parent_index, &Link::index);
  if (parent == links_.end()) return failure(ENODEV, what);
  if (parent->loopback) return failure(EINVAL, what);
  if (parent->port) return failure(EBUSY, what);
  const bool carrier = parent->carrier;
  const int index = add_link(link.name);
  auto& made = links_.back();
  made.up = false;
  made.carrier = carrier;
  made.mac = link.mac;
  made.kind = "macvlan";
  parents_[index] = link.parent_index;
  return {};
}

Result<void> FakeRtnl::remove_link(int index) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  if (std::erase_if(links_, [&](const Link& link) { return link.index == index; }) == 0)
    return failure(ENODEV, fmt::format("remove the link {}", index));
  std::erase_if(addresses_, [&](const InterfaceAddress& entry) { return entry.link_index == index; });
  changed_ = true;
  return {};
}

Result<void> FakeRtnl::set_link(int index, bool up) {
  if (auto error = take_error()) return tl::make_unexpected(*std::move(error));
  const auto what = fmt::format("set the link {} {}", index, up ? "up" : "down");
  const auto place = std::ranges::find(links_, index, &Link::index);
  if (place == links_.end()) return failure(ENODEV, what);
  const auto in_the_way = [&](const Link& other) {
    return other.index != index && other.up && other.mac == place->mac && parents_.contains(other.index) &&
           parents_[other.index] == parents_[index];
  };
  if (up && !place->up && std::ranges::any_of(links_, in_the_way)) return failure(EADDRINUSE, what);
  place->up = up;
  if (!up)
    std::erase_if(addresses_, [&](const InterfaceAddress& entry) {
      return entry.link_index == index && entry.address.family() == Family::kIpv6;
    });
  changed_ = true;
  return {};
}

Result<void> FakeAnnouncer::announce(const rtnl::Link& link, const IpAddress& address) {
  if (link.mac.size() != 6) return failure(EOPNOTSUPP, fmt::format("announce {} on {}", address.to_string(), link.name));
  announced.push_back({link.index, address});
  return {};
}

Result<void> FakeConflictProbe::ask(const rtnl::Link& link, const IpAddress& address) {
  if (link.mac.size() != 6) return failure(EOPNOTSUPP, fmt::format("ask who else has {} on {}", address.to_string(), link.name));
  hosts_.asked.push_back(address);
  if (const auto holder = hosts_.holders.find(address); holder != hosts_.holders.end())
    answers_.push_back({address, holder->second});
  return {};
}

std::vector<rtnl::Holder> FakeConflictProbe::heard() {
  auto all = std::exchange(answers_, {});
  all.insert(all.end(), hosts_.unasked.begin(), hosts_.unasked.end());
  return all;
}

}  // namespace wsl4::test
