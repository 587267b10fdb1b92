#include "daemon/addresses/conflicts.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/util/log.h"

namespace wsl4::addresses {

using netlink::IpAddress;
using netlink::rtnl::Link;

Conflicts::Conflicts(netlink::rtnl::Rtnl& rtnl, Open open, OnEvent on_event)
    : rtnl_(rtnl), open_(std::move(open)), on_event_(std::move(on_event)) {}

void Conflicts::forget() {
  due_.reset();
  round_.reset();
  conflicts_.clear();
}

void Conflicts::tend(Clock::time_point now, const std::vector<WantedAddress>& wanted) {
  if (!round_) {
    if (due_ && now >= *due_) begin(now, wanted);
    return;
  }
  hear();
  if (!round_->unasked.empty()) return ask_some(now);
  if (now >= round_->until) conclude(now);
}

void Conflicts::begin(Clock::time_point now, const std::vector<WantedAddress>& wanted) {
  due_ = now + kInterval;
  const auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) return;
  Round round;
  for (const auto& link : *links)
    if (const auto mac = mac_of(link)) round.own.insert(*mac);
  std::map<IpAddress, int> held;
  for (const auto& entry : *present)
    if (is_ours(entry)) held.emplace(entry.address, entry.link_index);
  for (const auto& want : wanted) {
    const auto place = held.find(want.address);
    if (place == held.end() || round.unasked.size() == kMost) continue;
    const auto link = std::ranges::find(*links, place->second, &Link::index);
    if (link != links->end() && mac_of(*link) && !is_virtual_link(*link)) round.unasked.push_back({*link, want.address});
  }
  if (round.unasked.empty()) return;
  auto probe = open_();
  if (!probe) return log::warning("address-conflicts-unknown", "error=\"{}\"", probe.error().message());
  round.probe = std::move(*probe);
  round_ = std::move(round);
  ask_some(now);
}

void Conflicts::ask_some(Clock::time_point now) {
  for (std::size_t i = 0; i < kAtOnce && !round_->unasked.empty(); ++i) {
    const auto [link, address] = std::move(round_->unasked.front());
    round_->unasked.pop_front();
    round_->asked.emplace(address, link.name);
    // A link without carrier has nobody who could hold it.
    if (const auto sent = round_->probe->ask(link, address); !sent)
      log::debug("address-not-asked", "error=\"{}\"", sent.error().message());
  }
  round_->until = now + kListen;
}

void Conflicts::hear() {
  for (const auto& [address, mac] : round_->probe->heard()) {
    const auto asked = round_->asked.find(address);
    if (asked == round_->asked.end() || round_->own.contains(mac)) continue;
    round_->found[address] =
        fmt::format("{} on {} is also held by {:02x}", address.to_string(), asked->second, fmt::join(mac, ":"));
  }
}

void Conflicts::conclude(Clock::time_point now) {
  const auto before = std::exchange(conflicts_, std::move(round_->found));
  round_.reset();
  for (const auto& [address, what] : conflicts_)
    if (const auto known = before.find(address); known == before.end() || known->second != what)
      on_event_("address-conflict", what);
  for (const auto& [address, what] : before)
    if (!conflicts_.contains(address))
      on_event_("address-conflict-over", fmt::format("{} is this node's alone again", address.to_string()));
  if (!conflicts_.empty()) due_ = now + kIntervalInConflict;
}

std::vector<std::string> Conflicts::problems() const {
  std::vector<std::string> problems;
  for (const auto& [address, what] : conflicts_) problems.push_back(what + ": some of its packets go there");
  return problems;
}

}  // namespace wsl4::addresses
