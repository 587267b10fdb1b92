#include "daemon/addresses/mover.h"

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
  if (here_ && moving != moving_) conflicts_.look_soon(Clock::now());
  moving_ = std::move(moving);
  idle_ = std::move(idle);
  other_wish_ = true;
  if (here_) place_some();
}

void Mover::place() {
  here_ = true;
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
  if (manager_.has_virtual_links()) mind_virtual_links(now);
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
