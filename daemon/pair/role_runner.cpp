#include "daemon/pair/role_runner.h"

#include <map>

#include <fmt/format.h>

namespace wsl4::pair {

using election::Action;
using election::Cause;
using election::Role;
using election::Step;
using Clock = std::chrono::steady_clock;

namespace {

/// How often carrier is looked at, and addresses that somebody took away are put back.
constexpr std::chrono::milliseconds kTendInterval{100};
/// What an active had under way when it lost the role goes to the peer within this, or is told by the comparison. After a split
/// that is whatever began on this side.
constexpr std::chrono::milliseconds kHandOnLimit{300}, kHandOnAfterSplit{5000};
/// To a peer that was not synced: most of the table may be missing there, and what it does not get is dropped here too.
constexpr std::chrono::milliseconds kHandOnAll = election::Takeover::kEntriesLimit;

sync::Role to_sync(Role role) {
  switch (role) {
    case Role::kActive:
      return sync::Role::kActive;
    case Role::kStandby:
      return sync::Role::kStandby;
    case Role::kFault:
      return sync::Role::kFault;
    case Role::kInit:
      break;
  }
  return sync::Role::kInit;
}

}  // namespace

RoleRunner::RoleRunner(boost::asio::io_context& io, const config::Config& config, Replication& replication, Callbacks callbacks)
    : io_(io),
      replication_(replication),
      callbacks_(std::move(callbacks)),
      ha_(*config.ha),
      tracked_(ha_),
      interval_(config.ha->advert_interval),
      priority_(config.ha->priority),
      timer_(io),
      tend_timer_(io) {}

tl::expected<std::unique_ptr<RoleRunner>, std::string> RoleRunner::open(boost::asio::io_context& io, const config::Config& config,
                                                                        const Remembered& remembered, Replication& replication,
                                                                        Callbacks callbacks) {
  std::unique_ptr<RoleRunner> runner(new RoleRunner(io, config, replication, std::move(callbacks)));
  if (auto prepared = runner->prepare(config, remembered); !prepared) return tl::make_unexpected(prepared.error());
  return runner;
}

tl::expected<void, std::string> RoleRunner::prepare(const config::Config& config, const Remembered& remembered) {
  const auto message = [](const netlink::Error& error) { return error.message(); };
  auto rtnl = netlink::rtnl::open_rtnl();
  if (!rtnl) return tl::make_unexpected(message(rtnl.error()));
  rtnl_ = std::move(*rtnl);
  auto watch = netlink::rtnl::open_rtnl();
  if (!watch) return tl::make_unexpected(message(watch.error()));
  watch_ = std::move(*watch);
  auto announcer = netlink::rtnl::open_announcer();
  if (!announcer) return tl::make_unexpected(message(announcer.error()));
  announcer_ = std::move(*announcer);
  const auto& ha = *config.ha;
  addresses_.emplace(io_, *rtnl_, *announcer_, *sysctls_, ha.virtual_mac ? std::optional(ha.virtual_router_id) : std::nullopt,
                     addresses::moving_addresses(config), callbacks_.on_event);
  if (auto prepared = addresses_->prepare(); !prepared) return prepared;
  const auto links = rtnl_->links();
  if (!links) return tl::make_unexpected(message(links.error()));
  const auto present = rtnl_->addresses();
  if (!present) return tl::make_unexpected(message(present.error()));

  election::RoleMachine::Settings settings;
  settings.external = ha.election == config::Election::kExternal;
  settings.promoted = remembered.promoted_ago.has_value();
  settings.promoted_ago = remembered.promoted_ago.value_or(std::chrono::milliseconds{});
  settings.resting = remembered.resting;
  settings.vrrp = {ha.priority, ha.advert_interval, ha.preempt, ha.listen.address};
  const auto& moving = addresses_->moving();
  tracked_.look(*links, *present, moving.wanted);
  settings.track = tracked_.names();
  settings.sync_link = tracked_.sync_link();
  if (!settings.external) {
    election::Transport::Options options{ha.interface, static_cast<std::uint8_t>(ha.virtual_router_id), ha.unicast_peer, {}};
    auto sources = advert_sources(ha, moving.wanted, moving.vips, *links, *present);
    if (!sources) return tl::make_unexpected(sources.error());
    options.sources = std::move(*sources);
    settings.vrrp.address = options.sources.front();
    auto transport =
        election::Transport::open(io_, options, [this](const election::Advert& advert, const netlink::IpAddress& source) {
          if (!started_) return;
          machine_->advert(advert, source, Clock::now());
          act();
        });
    if (!transport) return tl::make_unexpected(fmt::format("ha.interface: {}", transport.error().message()));
    transport_ = std::move(*transport);
  }
  settings_ = std::move(settings);
  prepared_at_ = Clock::now();
  machine_.emplace(settings_, prepared_at_);
  return {};
}

void RoleRunner::start() {
  started_ = true;
  const auto now = Clock::now();
  settings_.promoted_ago += std::chrono::duration_cast<std::chrono::milliseconds>(now - prepared_at_);
  machine_.emplace(settings_, now);
  look_at_links();
}

// ---- what happens ----------------------------------------------------------------------------------------------

void RoleRunner::peer_state(const election::PeerState& state) {
  if (!started_) return;
  machine_->peer(state, Clock::now());
  act();
}

void RoleRunner::session_changed() {
  if (!started_) return;
  const auto status = replication_.status();
  const bool connected = status.state != sync::State::kDisconnected;
  const bool owns = connected && status.peer.role == sync::Role::kActive;
  const election::SessionState session{connected, status.state == sync::State::kSynced, status.drained, owns};
  const auto plan = [this](election::Plan asked) { return machine_->takeover() && machine_->takeover()->plan() == asked; };
  const bool forced = plan(election::Plan::kForcedHandOver);
  // Of another active: what it has said last may be older than its being active, until it answers what is sent from now on.
  const bool unheard = plan(election::Plan::kMeet) && (!connected || status.peer.answered < waits_since_);
  const bool still_comes = owns || unheard;
  if (waits_for_ == Step::kDrain && (status.drained || (forced && connected && status.pending == 0))) finish(Step::kDrain);
  if (waits_for_ == Step::kAwaitEntries && status.unapplied == 0 && !still_comes) finish(Step::kAwaitEntries);
  settle_session_role();
  if (session == session_) return;
  session_ = session;
  machine_->session(session, Clock::now());
  act();
}

void RoleRunner::heartbeat() { machine_->set_flows(replication_.session().flows().size()); }

void RoleRunner::set_priority(int priority) {
  priority_ = settings_.vrrp.priority = priority;
  replication_.session().set_priority(static_cast<std::uint8_t>(priority));
  if (!started_) return;
  machine_->set_priority(priority, Clock::now());
  act();
}

void RoleRunner::set_healthy(bool healthy) {
  if (!started_) return;
  machine_->set_healthy(healthy, Clock::now());
  act();
}

election::RoleMachine::Answer RoleRunner::failover(bool force) {
  auto answer = machine_->failover(force, Clock::now());
  act();
  return answer;
}

election::RoleMachine::Answer RoleRunner::promote() {
  auto answer = machine_->promote(Clock::now());
  act();
  return answer;
}

void RoleRunner::forget_promotion() {
  machine_->forget_promotion(Clock::now());
  act();
}

void RoleRunner::peer_disagrees(bool active) {
  if (!started_) return;
  machine_->peer_disagrees(active, Clock::now());
  act();
}

election::RoleMachine::Answer RoleRunner::demote() {
  auto answer = machine_->demote(Clock::now());
  act();
  return answer;
}

void RoleRunner::stop() {
  if (!started_) return callbacks_.on_stopped();
  machine_->stop(Clock::now());
  act();
}

/// Carrier is read where something has changed; addresses are mended once in a while.
void RoleRunner::look_at_links() {
  links_changed_ = watch_->changed() || links_changed_;  // until a listing has told what
  const auto& moving = addresses_->moving();
  if (links_changed_ || tracked_.moving() != moving.wanted) {
    const auto links = watch_->links();
    const auto present = watch_->addresses();
    if (links && present) {
      links_changed_ = false;
      const auto sources = advert_sources(ha_, moving.wanted, moving.vips, *links, *present);
      if (transport_ && sources) transport_->follow(*sources);
      tracked_.look(*links, *present, moving.wanted);
      machine_->set_track(tracked_.names(), tracked_.sync_link());
      std::map<std::string, bool> carrier;
      for (const auto& link : *links) carrier[link.name] = link.up && link.carrier;
      machine_->links(carrier, Clock::now());
    }
  }
  addresses_->tend(Clock::now());
  if (ends_ && !addresses_->lingers()) {
    ends_ = false;
    callbacks_.on_stopped();
  }
  act();
  tend_timer_.expires_after(kTendInterval);
  tend_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) look_at_links();
  });
}

// ---- what is done ----------------------------------------------------------------------------------------------

/// What is done may make more to do.
void RoleRunner::act() {
  if (std::exchange(acting_, true)) return;
  for (auto actions = machine_->take_actions(); !actions.empty(); actions = machine_->take_actions())
    for (const auto& action : actions) perform(action);
  acting_ = false;
  arm();
}

void RoleRunner::arm() {
  const auto due = machine_->due();
  if (!due) return;
  timer_.expires_at(*due);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    machine_->tick(Clock::now());
    act();
  });
}

void RoleRunner::perform(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kStep:
      return begin(action.step);
    case Action::Kind::kAdvertise:
      return advertise(priority_);
    case Action::Kind::kResign:
      return advertise(0);
    case Action::Kind::kTell:
      return callbacks_.tell(state());
    case Action::Kind::kRole:
      return change_role(action.role, action.cause);
    case Action::Kind::kStays:
      return callbacks_.on_kept();
    case Action::Kind::kFollow:
      return callbacks_.on_event("following", "the peer is active: connections that it does not know are dropped here");
    case Action::Kind::kHandOverFailed:
      return callbacks_.on_event("hand-over-failed", "the peer did not take the active role; this node keeps it");
    case Action::Kind::kStopped:
      return end();
  }
}

void RoleRunner::begin(Step step) {
  const auto finished = [this, step] { finish(step); };
  switch (step) {
    case Step::kGuardDrop:
      return callbacks_.set_gate(service::Gate::kFence, finished);
    case Step::kGuardReject:
      return callbacks_.set_gate(service::Gate::kOpen, finished);
    case Step::kGuardStandby:
      return callbacks_.set_gate(service::Gate::kStandby, finished);
    case Step::kAddAddresses:
      addresses_->place();
      return finish(step);
    case Step::kAnnounce:
      addresses_->announce();
      return finish(step);
    case Step::kRemoveAddresses:
      return addresses_->withdraw(finished);
    case Step::kAwaitEntries:
      return wait_for(step);
    case Step::kDrain:
      return callbacks_.catch_up([this] { wait_for(Step::kDrain); });
  }
}

void RoleRunner::wait_for(Step step) {
  waits_for_ = step;
  waits_since_ = Replication::now();
  session_changed();
}

void RoleRunner::finish(Step step) {
  if (waits_for_ == step) waits_for_.reset();
  // All that was this node's to take over is in the kernel: what another active tells now makes no room for itself.
  if (step == Step::kAwaitEntries && role_ == Role::kActive) callbacks_.spare_present(true);
  machine_->finished(step, Clock::now());
  act();
}

/// An active that is none any more hands on what it still has first. After a split it keeps that until the session stands again.
void RoleRunner::change_role(Role role, Cause cause) {
  const bool was_active = std::exchange(role_, role) == Role::kActive;
  callbacks_.on_role(role, cause);
  if (role != Role::kActive) {
    if (waits_for_ == Step::kAwaitEntries) waits_for_.reset();
    callbacks_.spare_present(false);
  }
  if (was_active && (cause == Cause::kHigher || replication_.connected())) {
    const auto limit = cause == Cause::kHigher ? kHandOnAfterSplit : session_.synced ? kHandOnLimit : kHandOnAll;
    hand_on_ = HandOn{limit, {}};
    callbacks_.catch_up([this] {
      if (hand_on_) hand_on_->caught_up = true;
      settle_session_role();
    });
    return;
  }
  hand_on_.reset();
  replication_.set_role(to_sync(role));
  // A node that never had the role has no step to take; but a daemon before it may have left something.
  if (role != Role::kActive && !machine_->takeover()) {
    callbacks_.set_gate(service::Gate::kStandby, [] {});
    addresses_->withdraw([] {});
  }
}

void RoleRunner::settle_session_role() {
  if (!hand_on_) return;
  const auto now = Clock::now();
  // A split that was short may be noticed by the session after it is over: what stood then was none.
  if (!replication_.connected() && hand_on_->limit == kHandOnAfterSplit) hand_on_->until.reset();
  if (replication_.connected() && !hand_on_->until) hand_on_->until = now + hand_on_->limit;
  const bool done = hand_on_->caught_up && replication_.status().drained;
  const bool too_long = hand_on_->until && now >= *hand_on_->until;
  if (!done && !too_long) return;
  hand_on_.reset();
  replication_.set_role(to_sync(machine_->role()));
}

void RoleRunner::advertise(int priority) {
  if (transport_) transport_->send(static_cast<std::uint8_t>(priority), interval_, addresses_->moving().vips);
}

void RoleRunner::end() {
  if (role_ == Role::kActive)
    callbacks_.on_event(
        "left-forwarding",
        "no peer can take over: addresses and rules stay, and the kernel goes on forwarding here until wsl4ctl purge");
  ends_ = addresses_->lingers();
  if (!ends_) callbacks_.on_stopped();
}

}  // namespace wsl4::pair
