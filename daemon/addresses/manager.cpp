#include "daemon/addresses/manager.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "daemon/util/counted.h"
#include "daemon/util/log.h"

namespace wsl4::addresses {

namespace {

using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;

/// Switches and neighbours may miss one; three in as many seconds are customary.
constexpr int kAnnouncements = 3;
/// A few milliseconds.
constexpr std::size_t kAnnouncementsAtOnce = 512;

/// Routes stay those of the parent: a virtual link brings none.
InterfaceAddress ours(const Missing& missing) {
  return {missing.link.index, missing.address, missing.prefix_length, netlink::rtnl::kAddressProtocol,
          !is_virtual_link(missing.link)};
}

}  // namespace

std::optional<Reconciled> Manager::reconcile(const std::vector<WantedAddress>& wanted, const std::set<IpAddress>& idle) {
  if (steps_.empty() || wanted != wanted_) {
    const bool same = !rtnl_.changed() && in_order_ && idle.empty() && wanted == wanted_;
    steps_.clear();
    result_ = Reconciled{};
    if (!same) look(wanted, idle);
  }
  do_some_steps();
  if (next_announced_ == announcing_.end()) next_announced_ = announcing_.begin();
  do_some_announcements();
  return take_result();
}

std::optional<Reconciled> Manager::withdraw() {
  in_order_ = false;
  wanted_.clear();
  steps_.clear();
  leftover_.clear();
  announcing_.clear();
  next_announced_ = announcing_.end();
  result_ = Reconciled{};
  if (!has_virtual_links()) remove_virtual_links(rtnl_, result_->problems);  // an earlier daemon's
  if (const auto present = rtnl_.addresses()) {
    for (const auto& entry : *present)
      if (is_ours(entry)) steps_.push_back({Step::Kind::kRemove, entry});
  } else {
    result_->problems.push_back(present.error().message());
  }
  return go_on();
}

std::vector<std::string> Manager::prepare(const std::vector<WantedAddress>& wanted) {
  in_order_ = false;
  auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) return {!links ? links.error().message() : present.error().message()};
  return virtual_links_.provide(wanted, *links, *present, VirtualLinks::Use::kStandby);
}

std::optional<Reconciled> Manager::go_on() {
  do_some_steps();
  do_some_announcements();
  return take_result();
}

std::optional<Reconciled> Manager::take_result() { return steps_.empty() ? std::exchange(result_, std::nullopt) : std::nullopt; }

void Manager::look(const std::vector<WantedAddress>& wanted, const std::set<IpAddress>& idle) {
  in_order_ = false;
  auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) {
    result_->problems.push_back(!links ? links.error().message() : present.error().message());
    return;
  }
  result_->problems = virtual_links_.provide(wanted, *links, *present, VirtualLinks::Use::kActive);
  held_ = held_addresses(*links, *present);
  auto placement = place(wanted, Topology(std::move(*links), *present, virtual_links_.router()), *present);
  result_->problems.insert(result_->problems.end(), placement.problems.begin(), placement.problems.end());
  for (const auto& entry : placement.outdated) steps_.push_back({Step::Kind::kTakeOff, entry});
  for (const auto& missing : placement.missing) steps_.push_back({Step::Kind::kAdd, ours(missing), missing.link});
  for (const auto& entry : placement.surplus) steps_.push_back({Step::Kind::kTakeOff, entry});
  leftover_.clear();
  for (const auto& entry : placement.leftover) {
    leftover_.insert(entry.address);
    if (idle.contains(entry.address)) steps_.push_back({Step::Kind::kRemove, entry});
  }
  in_order_ = placement.missing.empty() && placement.surplus.empty() && result_->problems.empty();
  wanted_ = wanted;
}

void PieceSize::note(std::size_t done, std::chrono::nanoseconds took) {
  const std::chrono::nanoseconds target = kTarget;
  const auto fit =
      done * static_cast<std::size_t>(target.count()) / static_cast<std::size_t>(std::max<std::int64_t>(took.count(), 1));
  value = std::clamp(fit, std::size_t{1}, std::min(2 * value, netlink::rtnl::kAddressesAtOnce));
}

void Manager::do_some_steps() {
  if (steps_.empty()) return;
  const auto begin = std::chrono::steady_clock::now();
  auto left = piece_.value;
  while (left > 0 && !steps_.empty()) left -= do_group(left);
  piece_.note(piece_.value - left, std::chrono::steady_clock::now() - begin);
}

/// So many at most, of one kind.
std::size_t Manager::do_group(std::size_t most) {
  std::vector<Step> group;
  std::vector<InterfaceAddress> entries;
  while (!steps_.empty() && group.size() < most && (group.empty() || steps_.front().kind == group.front().kind)) {
    entries.push_back(steps_.front().entry);
    group.push_back(std::move(steps_.front()));
    steps_.pop_front();
  }
  const bool adds = group.front().kind == Step::Kind::kAdd;
  if (!adds)
    for (const auto& entry : entries) forget_announcing(entry);
  const auto outcomes = adds ? rtnl_.add_addresses(entries) : rtnl_.remove_addresses(entries);
  for (std::size_t i = 0; i < group.size(); ++i) done(group[i], outcomes[i]);
  return group.size();
}

void Manager::done(const Step& step, const netlink::Result<void>& outcome) {
  const auto& address = step.entry.address;
  if (!outcome) {
    result_->problems.push_back(outcome.error().message());
    in_order_ = false;
  } else if (step.kind == Step::Kind::kAdd) {
    result_->added.push_back(address);
    announcing_[address] = {step.link, kAnnouncements};
  } else if (step.kind == Step::Kind::kRemove) {
    result_->removed.push_back(address);
    leftover_.erase(address);
  }
}

void Manager::forget_announcing(const InterfaceAddress& entry) {
  const auto pending = announcing_.find(entry.address);
  if (pending == announcing_.end() || pending->second.link.index != entry.link_index) return;
  if (next_announced_ == pending) ++next_announced_;
  announcing_.erase(pending);
}

void Manager::do_some_announcements() {
  for (std::size_t made = 0; made < kAnnouncementsAtOnce && next_announced_ != announcing_.end(); ++made) {
    auto& [address, pending] = *next_announced_;
    announce(pending.link, address);
    next_announced_ = --pending.left == 0 ? announcing_.erase(next_announced_) : std::next(next_announced_);
  }
}

std::vector<std::string> Manager::announce_all() {
  return announce_present([](const Link&) { return true; });
}

void Manager::refresh_switches() {
  std::set<int> done;
  announce_present([&](const Link& link) { return is_virtual_link(link) && done.insert(link.index).second; });
}

std::vector<std::string> Manager::announce_present(const std::function<bool(const Link& link)>& chosen) {
  auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) return {!links ? links.error().message() : present.error().message()};
  for (const auto& entry : *present) {
    const auto link = std::ranges::find(*links, entry.link_index, &Link::index);
    if (is_ours(entry) && link != links->end() && chosen(*link)) announce(*link, entry.address);
  }
  return {};
}

void Manager::announce(const Link& link, const IpAddress& address) {
  const auto sent = announcer_.announce(link, address);
  if (!sent)
    log::warning("announcement-failed", "address={} interface={} error=\"{}\"", address.to_string(), link.name,
                 sent.error().message());
}

void tell(const Reconciled& result, const std::function<void(std::string name, std::string detail)>& on_event,
          std::vector<std::string>& problems) {
  const auto those = [](const std::vector<IpAddress>& addresses) {
    const auto number = util::counted(addresses.size(), "address", "addresses");
    return fmt::format("{}{} {}", number, addresses.size() == 1 ? ":" : ", first", addresses.front().to_string());
  };
  if (!result.added.empty()) on_event("addresses-added", those(result.added));
  if (!result.removed.empty()) on_event("addresses-removed", those(result.removed));
  if (result.problems != problems)
    for (const auto& problem : result.problems) log::error("address-problem", "error=\"{}\"", problem);
  problems = result.problems;
}

Reconciled remove_ours(netlink::rtnl::Rtnl& rtnl) {
  Reconciled result;
  auto entries = rtnl.addresses();
  if (!entries) {
    result.problems.push_back(entries.error().message());
    return result;
  }
  std::erase_if(*entries, [](const auto& entry) { return !is_ours(entry); });
  for (std::span<const InterfaceAddress> rest = *entries; !rest.empty();) {
    const auto group = rest.first(std::min(rest.size(), netlink::rtnl::kAddressesAtOnce));
    rest = rest.subspan(group.size());
    const auto outcomes = rtnl.remove_addresses(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (outcomes[i]) result.removed.push_back(group[i].address);
      if (!outcomes[i]) result.problems.push_back(outcomes[i].error().message());
    }
  }
  return result;
}

}  // namespace wsl4::addresses
