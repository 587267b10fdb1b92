// What happens to a node, and its changes of role. The rules by which they come about are in role_rules.cpp.
#include "daemon/election/role.h"

#include <algorithm>
#include <array>

namespace wsl4::election {

std::string_view to_string(Role role) {
  constexpr std::array<std::string_view, 4> kNames{"init", "active", "standby", "fault"};
  return kNames.at(static_cast<std::size_t>(role));
}

std::string_view to_string(Cause cause) {
  constexpr std::array<std::string_view, 11> kNames{"silence", "granted", "promoted", "handed-over", "higher-active", "heard",
                                                    "forced",  "demoted", "carrier",  "recovered",   "stopped"};
  return kNames.at(static_cast<std::size_t>(cause));
}

RoleMachine::RoleMachine(const Settings& settings, TimePoint now)
    : settings_(settings),
      vrrp_(settings.vrrp),
      started_at_(now),
      met_at_(now - kMeetPause),
      said_at_(now - settings.promoted_ago),
      promoted_(settings.promoted),
      remembered_(settings.promoted),
      resting_(settings.resting) {
  vrrp_.set_preempt(false);
  if (!settings_.external) vrrp_.start(now);
}

void RoleMachine::advert(const Advert& advert, const IpAddress& source, TimePoint now) {
  vrrp_.receive(advert, source, now);
  listens_until_.reset();
  entrusted_ = entrusted_ && advert.priority == 0;
  if (role_ == Role::kInit && advert.priority > 0) become(Role::kStandby, Cause::kHeard);
  settle(now);
}

void RoleMachine::session(const SessionState& session, TimePoint now) {
  if (session.connected != session_.connected) {
    peer_.reset();
    told_.reset();
    claim_ = grant_ = 0;
    if (session.connected) heard_at_ = now;
  }
  // All adverts of another active may be lost, the last one too. Then it is by its flows that it is met.
  unmet_ = session.peer_owns && (unmet_ || (active() && !session_.peer_owns));
  session_ = session;
  settle(now);
}

void RoleMachine::peer(const PeerState& state, TimePoint now) {
  if (!session_.connected) return;
  const bool resigned = peer_ && peer_->role == Role::kActive && state.role != Role::kActive;
  peer_ = state;
  heard_at_ = now;
  listens_until_.reset();
  if (resigned) vrrp_.hasten(now);
  entrusted_ = entrusted_ && state.role != Role::kActive;
  if (role_ == Role::kInit && state.role == Role::kActive) {
    become(Role::kStandby, Cause::kHeard);
    // Whoever was promoted while this node was away was promoted later.
    if (remembered_) promoted_ = remembered_ = false;
  }
  settle(now);
}

void RoleMachine::peer_disagrees(bool active, TimePoint now) {
  disagrees_until_ = now + kDisagreement;
  disagreeing_active_ = active;
  if (active && role_ == Role::kInit) become(Role::kStandby, Cause::kHeard);
  settle(now);
}

void RoleMachine::links(const std::map<std::string, bool>& carrier, TimePoint now) {
  const auto is_lost = [&](const std::string& name) {
    const auto found = carrier.find(name);
    return name != settings_.sync_link && (found == carrier.end() || !found->second);
  };
  const bool had_fault = has_fault();
  lost_.clear();
  if (!settings_.external) std::ranges::copy_if(settings_.track, std::back_inserter(lost_), is_lost);
  if (has_fault() == had_fault) return settle(now);
  if (has_fault()) {
    vrrp_.stop();
    give_up(Role::kFault, Cause::kCarrier, now);
  } else {
    vrrp_.start(now);
    become(Role::kStandby, Cause::kRecovered);
  }
  settle(now);
}

void RoleMachine::set_track(std::vector<std::string> track, std::string sync_link) {
  settings_.track = std::move(track);
  settings_.sync_link = std::move(sync_link);
}

void RoleMachine::set_healthy(bool healthy, TimePoint now) {
  if (healthy_ != healthy) {
    if (healthy_ && now >= health_stands_since_ + health_patience_) health_patience_ = kHealthPatience;
    health_stands_since_ = now;
  }
  healthy_ = healthy;
  settle(now);
}

void RoleMachine::set_priority(int priority, TimePoint now) {
  settings_.vrrp.priority = priority;
  vrrp_.set_priority(priority);
  settle(now);
}

RoleMachine::Answer RoleMachine::failover(bool force, TimePoint now) {
  if (!active()) return tl::make_unexpected(std::string("this node is not active: say it to the one that is"));
  const bool connected = stands(now);
  if (connected && peer_->role == Role::kFault) return tl::make_unexpected(std::string("the peer has a fault: mend it first"));
  if (!force && !connected)
    return tl::make_unexpected(std::string("the peer is not connected (--force gives the role up all the same)"));
  if (!force && !session_.synced) {
    return tl::make_unexpected(std::string("the peer is not synced: wait, or lose connections with --force"));
  }
  if (connected) {
    offer_ = force ? Offer::kForced : Offer::kFailover;
    offer_until_ = now + kOfferLimit;
  } else {
    resting_ = true;
    vrrp_.yield(now);
    resign_at_end_ = !settings_.external;
    promoted_ = false;
    give_up(Role::kStandby, Cause::kForced, now);
  }
  settle(now);
  return {};
}

RoleMachine::Answer RoleMachine::promote(TimePoint now) {
  if (!settings_.external) return tl::make_unexpected(std::string("election is \"vrrp\": use failover"));
  if (!active() && stands(now) && peer_->role == Role::kActive && !session_.synced) {
    return tl::make_unexpected(std::string("the peer is active and this node not synced: wait, or demote the peer first"));
  }
  promoted_ = true;
  remembered_ = false;
  said_at_ = now;
  settle(now);
  return {};
}

RoleMachine::Answer RoleMachine::demote(TimePoint now) {
  if (!settings_.external) return tl::make_unexpected(std::string("election is \"vrrp\": use failover"));
  promoted_ = false;
  if (active()) give_up(Role::kStandby, Cause::kDemoted, now);
  settle(now);
  return {};
}

void RoleMachine::forget_promotion(TimePoint now) {
  if (!active()) promoted_ = false;
  settle(now);
}

void RoleMachine::stop(TimePoint now) {
  stopping_ = true;
  offer_until_ = now + kOfferLimit;
  settle(now);
}

void RoleMachine::finished(Step step, TimePoint now) {
  if (sequence_) sequence_->finished(step, now);
  settle(now);
}

void RoleMachine::tick(TimePoint now) { settle(now); }

bool RoleMachine::misses_adverts(TimePoint now) const {
  const bool follows = role_ == Role::kStandby && stands(now) && peer_->role == Role::kActive;
  return !settings_.external && follows && vrrp_.silent(now - kAdvertsMissed);
}

PeerState RoleMachine::state(TimePoint now) const {
  std::optional<Word> word;
  if (settings_.external && active()) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - said_at_);
    word = Word{std::min(age, Word::kOldest), last_word_};
  }
  const Ballot standing{0, settings_.vrrp.priority, settings_.vrrp.address};
  return {role_, offer_, claim_, grant_, healthy_, claim_ != 0 ? claimed_with_ : standing, word};
}

void RoleMachine::become(Role role, Cause cause) {
  if (role_ == role) return;
  role_ = role;
  actions_.push_back({.kind = Action::Kind::kRole, .role = role, .cause = cause});
}

void RoleMachine::become_active(Cause cause, TimePoint now) {
  become(Role::kActive, cause);
  if (cause == Cause::kGranted && peer_->offer == Offer::kHealth)
    health_patience_ = std::min(4 * health_patience_, kLongestHealthPatience);
  health_stands_since_ = now;
  claim_ = grant_ = 0;
  offer_ = Offer::kNone;
  resting_ = entrusted_ = unsent_ = resign_at_end_ = false;
  if (!promoted_) said_at_ = now;  // a failover is an operator's word too
  promoted_ = true;
  vrrp_.take(now);
  begin(Plan::kTake, now);
}

/// Says once more that it was active: the other one may have heard nothing of it yet, and has to wait for its flows.
void RoleMachine::step_down(Cause cause, TimePoint now) {
  if (!settings_.external) act(Action::Kind::kAdvertise);
  become(Role::kStandby, cause);
  vrrp_.yield(now);
  offer_ = Offer::kNone;
  promoted_ = false;
  unsent_ = true;
  begin(stands(now) ? Plan::kStepDown : Plan::kWithdraw, now);
}

void RoleMachine::give_up(Role role, Cause cause, TimePoint now) {
  const bool had_it = active();
  become(role, cause);
  claim_ = 0;
  offer_ = Offer::kNone;
  if (!had_it) return;
  unsent_ = true;
  begin(Plan::kWithdraw, now);
}

void RoleMachine::meet(TimePoint now) {
  if (!active()) return;
  met_ = now;
  if (now >= met_at_ + kMeetPause) fence(now);
}

/// Of another sequence under way the packets of no flow wait for its end anyway. A meeting that still waits begins anew: neighbours
/// may have been led elsewhere since.
void RoleMachine::fence(TimePoint now) {
  if (sequence_ && !sequence_->complete() && sequence_->plan() != Plan::kMeet) return;
  met_at_ = now;
  begin(Plan::kMeet, now);
}

void RoleMachine::begin(Plan plan, TimePoint now) {
  const auto outstanding = sequence_ ? sequence_->outstanding() : std::nullopt;
  sequence_.emplace(plan, now, outstanding);
}

}  // namespace wsl4::election
