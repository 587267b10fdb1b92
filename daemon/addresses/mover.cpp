#include "daemon/addresses/mover.h"

#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/post.hpp>

#include "daemon/util/log.h"

namespace wsl4::addresses {

MovingAddresses moving_addresses(const config::Config& config) {
  MovingAddresses moving{config.addresses.manage, wanted_addresses(config), {}};
  std::set<netlink::IpAddress> known;
  for (const auto& service : config.services)
    for (const auto& listen : service.listen)
      if (known.insert(listen.address).second) moving.vips.push_back(listen.address);
  return moving;
}

Mover::Mover(boost::asio::io_context& io, netlink::rtnl::Rtnl& rtnl, netlink::rtnl::Announcer& announcer, host::Sysctls& sysctls,
             std::optional<int> router, MovingAddresses moving, OnEvent on_event, Conflicts::Open open_probe)
    : io_(io),
      rtnl_(rtnl),
      manager_(rtnl, announcer, sysctls, router),
      moving_(std::move(moving)),
      on_event_(std::move(on_event)),
      conflicts_(std::move(open_probe), on_event_) {}

tl::expected<void, std::string> Mover::prepare() {
  if (!moving_.manage) return {};
  const auto problems = manager_.prepare(moving_.wanted);
  if (problems.empty()) return {};
  return tl::make_unexpected(fmt::format("ha.virtual_mac: {}", fmt::join(problems, "; ")));
}

void Mover::set(MovingAddresses moving, std::set<netlink::IpAddress> idle) {
  if (moving != moving_) {
    if (here_) conflicts_.look_soon(Clock::now());
    strays_known_ = false;
  }
  moving_ = std::move(moving);
  idle_ = std::move(idle);
  other_wish_ = true;
  if (here_) place_some();
}

void Mover::place() {
  here_ = true;
  strays_.clear();
  rests_at_.reset();
  conflicts_.look_soon(Clock::now());
  place_some();
}

void Mover::place_all() {
  place();
  while (manager_.busy()) done(manager_.go_on());
}

void Mover::place_some() {
  if (!moving_.manage) return;
  done(manager_.reconcile(moving_.wanted, idle_));
  place_rest();
  conflicts_.tend(Clock::now(), moving_.wanted, manager_.held());
}

void Mover::place_rest() {
  if (!here_ || !manager_.busy() || std::exchange(placing_, true)) return;
  boost::asio::post(io_, [this] {
    placing_ = false;
    if (!here_ || !manager_.busy()) return;
    done(manager_.go_on());
    place_rest();
  });
}

void Mover::announce() {
  for (const auto& problem : manager_.announce_all()) log::warning("announcement-failed", "error=\"{}\"", problem);
}

void Mover::withdraw(const Then& then) {
  here_ = false;
  strays_known_ = false;
  problems_.clear();
  conflicts_.forget();
  done(manager_.withdraw());
  if (manager_.has_virtual_links()) rests_at_ = Clock::now() + kRestAfter;
  withdraw_rest(then);
}

void Mover::withdraw_rest(const Then& then) {
  if (here_ || !manager_.busy()) return then();
  boost::asio::post(io_, [this, then] {
    if (!here_) done(manager_.go_on());
    withdraw_rest(then);
  });
}

void Mover::tend(Clock::time_point now) {
  if (here_) place_some();
  if (manager_.has_virtual_links()) {
    mind_virtual_links(now);
  } else if (!here_) {
    look_for_strays();
  }
}

/// Only where they belong: addresses that are routed here both nodes may have, on a loopback.
void Mover::look_for_strays() {
  const bool changed = rtnl_.changed();
  if (std::exchange(strays_known_, true) && !changed) return;
  strays_.clear();
  auto links = rtnl_.links();
  const auto present = rtnl_.addresses();
  if (!links || !present) return;
  std::map<netlink::IpAddress, int> others;  // and on which link
  for (const auto& entry : *present)
    if (!moving_.manage || !is_ours(entry)) others.emplace(entry.address, entry.link_index);
  const Topology topology(std::move(*links), *present);
  std::size_t more = 0;
  for (const auto& wanted : moving_.wanted) {
    const auto found = others.find(wanted.address);
    const auto* home = found != others.end() ? topology.home_of(wanted) : nullptr;
    if (home == nullptr || home->index != found->second) continue;
    if (strays_.empty()) {
      strays_ = fmt::format("{} on {}", wanted.address.to_string(), home->name);
    } else {
      ++more;
    }
  }
  if (more > 0) strays_ += fmt::format(" and {} more", more);
}

void Mover::mind_virtual_links(Clock::time_point now) {
  if (here_) {
    if (now < refresh_at_) return;
    refresh_at_ = now + kRefreshInterval;
    return manager_.refresh_switches();
  }
  if (rests_at_ && now >= *rests_at_) {
    rests_at_.reset();
    done(Reconciled{{}, {}, manager_.rest()});
  }
  const bool changed = rtnl_.changed();
  if (std::exchange(other_wish_, false) || changed) done(Reconciled{{}, {}, manager_.prepare(moving_.wanted)});
}

void Mover::done(const std::optional<Reconciled>& result) {
  if (result) tell(*result, on_event_, problems_);
}

}  // namespace wsl4::addresses
