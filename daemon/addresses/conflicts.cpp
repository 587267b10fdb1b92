#include "daemon/addresses/conflicts.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/util/log.h"

namespace wsl4::addresses {

void Conflicts::forget() {
  due_.reset();
  round_.reset();
  conflicts_.clear();
}

void Conflicts::tend(Clock::time_point now, const std::vector<WantedAddress>& wanted, const HeldAddresses& held) {
  if (!round_) {
    if (due_ && now >= *due_) begin(now, wanted, held);
    return;
  }
  hear(held);
  if (!round_->unasked.empty()) return ask_some(now);
  if (now >= round_->until) conclude(now);
}

void Conflicts::begin(Clock::time_point now, const std::vector<WantedAddress>& wanted, const HeldAddresses& held) {
  due_ = now + kInterval;
  Round round;
  for (const auto& want : wanted) {
    const auto place = held.addresses.find(want.address);
    if (place == held.addresses.end() || !mac_of(place->second) || is_virtual_link(place->second)) continue;
    round.unasked.push_back({place->second, want.address});
    if (round.unasked.size() == kMost) break;
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
    if (const auto sent = round_->probe->ask(link, address); !sent)
      log::debug("address-not-asked-for", "error=\"{}\"", sent.error().message());
  }
  round_->until = now + kListen;
}

/// Another card of this machine may be on the same link.
void Conflicts::hear(const HeldAddresses& held) {
  for (const auto& [address, mac] : round_->probe->heard())
    if (round_->asked.contains(address) && !held.macs.contains(mac)) round_->heard[address].insert(mac);
}

void Conflicts::conclude(Clock::time_point now) {
  const auto before = std::exchange(conflicts_, {});
  for (const auto& [address, macs] : round_->heard) {
    std::vector<std::string> texts;
    for (const auto& mac : macs) texts.push_back(fmt::format("{:02x}", fmt::join(mac, ":")));
    conflicts_[address] =
        fmt::format("{} on {} is also held by {}", address.to_string(), round_->asked.at(address), fmt::join(texts, ", "));
  }
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
