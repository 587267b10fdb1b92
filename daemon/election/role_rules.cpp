// The rules of role.h, each a function that looks at the whole state. They are applied after everything that happens, so none
// depends on the order in which things did.
#include <algorithm>
#include <tuple>

#include "daemon/election/role.h"

namespace wsl4::election {

/// Neither a peer that could take the role is heard, nor another active.
bool RoleMachine::nobody_else(TimePoint now) const {
  const bool fault = peer_ && peer_->role == Role::kFault;
  return (!session_.connected || heartbeats_silent(now) || fault) && vrrp_.silent(now) && !disagrees(now);
}

bool RoleMachine::giving_up() const {
  if (!sequence_ || sequence_->complete()) return false;
  return sequence_->plan() == Plan::kStepDown || sequence_->plan() == Plan::kWithdraw;
}

bool RoleMachine::handing_over() const { return active() && sequence_ && sequence_->hands_over() && !sequence_->complete(); }

/// By a stop: a peer that does not take the role, since it stops too or has died, leaves it to this node again.
bool RoleMachine::entrusts() const { return stopping_ && !stopped_ && role_ == Role::kStandby && entrusted_; }

bool RoleMachine::wants_back() const {
  return settings_.vrrp.preempt && !settings_.external && session_.connected && session_.synced && !resting_ && healthy_;
}

bool RoleMachine::comes_first(const Ballot& other) const {
  const auto own = ballot();
  return std::tie(own.priority, own.address) > std::tie(other.priority, other.address);
}

bool RoleMachine::wants_from_active() const {
  if (peer_->offer == Offer::kForced) return true;
  if (!session_.synced) return false;
  if (peer_->offer == Offer::kFailover || (peer_->offer == Offer::kHealth && healthy_)) return true;
  if (settings_.external) return promoted_;
  return wants_back() && vrrp_.expired() && settings_.vrrp.priority > peer_->ballot.priority;
}

bool RoleMachine::wants_role(TimePoint now) const {
  if (!able() || grant_ != 0) return false;
  if (peer_->role == Role::kActive) return wants_from_active();
  if (settings_.external) return promoted_;
  return peer_->claim != 0 || (vrrp_.expired() && vrrp_.silent(now));
}

void RoleMachine::settle(TimePoint now) {
  mind_sleep(now);
  for (int pass = 0; pass < 2; ++pass) {  // the end of a sequence may make room for what stands before it
    mind_other_active(now);
    mind_offer(now);
    mind_claims(now);
    mind_hand_over(now);
    mind_silence(now);
    mind_outputs(now);
    mind_stop(now);
    mind_sequence(now);
  }
  mind_following(now);
  tell_changes(now);
  mind_end(now);
  settled_at_ = now;
  due_at_ = due();
}

void RoleMachine::mind_sleep(TimePoint now) {
  if (!due_at_ || now <= *due_at_ + kLate) return;
  // Not once more for being late at the end of it: on a machine that is late all the time it would never end.
  if (!listens_until_ || *listens_until_ < *due_at_) listens_until_ = now + kListen;
  claim_ = 0;  // a grant may have waited too long: whoever gave it may have taken the role back in the silence
}

/// Beside another active; unknown until the one that compares has said so. A peer of a version that tells no word goes by priority.
std::optional<bool> RoleMachine::stays(TimePoint now) const {
  const bool first = comes_first(peer_->ballot);
  if (!settings_.external || !peer_->word) return first;
  if (first) return last_word_ || now - said_at_ <= peer_->word->age + (now - *heard_at_);
  return peer_->word->last ? std::optional(false) : std::nullopt;
}

void RoleMachine::mind_other_active(TimePoint now) {
  const bool sees = active() && stands(now);
  const bool meets = sees && peer_->role == Role::kActive;
  const auto staying = meets ? stays(now) : std::nullopt;
  last_word_ = staying == true;
  if (staying == false) {
    met_.reset();
    return step_down(Cause::kHigher, now);
  }
  const bool late = sees && std::exchange(unmet_, false);  // however short ago the last one was
  if (meets || late) meet(now);
  if (late) fence(now);
  if (meets) return;
  if (active() && met_ && (!stands(now) || *heard_at_ < *met_)) return;  // it may be active still
  if (std::exchange(met_, std::nullopt) && active()) act(Action::Kind::kStays);
}

void RoleMachine::mind_offer(TimePoint now) {
  if (!active()) return;
  const bool ready = stands(now) && session_.synced && peer_->role != Role::kFault;
  if (stopping_) {
    offer_ = ready ? Offer::kFailover : Offer::kNone;
  } else if (offer_ == Offer::kNone || offer_ == Offer::kHealth) {
    const bool ill = !healthy_ && now >= health_stands_since_ + health_patience_;
    offer_ = ill && ready && peer_->healthy ? Offer::kHealth : Offer::kNone;
  } else if (now >= offer_until_ && !handing_over()) {
    offer_ = Offer::kNone;
    act(Action::Kind::kHandOverFailed);
  }
}

void RoleMachine::mind_claims(TimePoint now) {
  if (!session_.connected || !peer_) return;
  const bool returned = grant_ != 0 && peer_->claim == 0 && peer_->role != Role::kActive;
  if (peer_->claim != grant_) grant_ = 0;
  if (returned && entrusts()) {
    become_active(Cause::kGranted, now);
    mind_offer(now);
  }
  if (claim_ != 0 && peer_->grant == claim_) become_active(Cause::kGranted, now);
  if (active()) return;
  mind_own_claim(now);
  mind_peer_claim();
}

void RoleMachine::mind_own_claim(TimePoint now) {
  if (!wants_role(now)) {
    claim_ = 0;
  } else if (claim_ == 0) {
    claim_ = ++last_claim_;
    claimed_with_ = ballot();
  }
}

void RoleMachine::mind_peer_claim() {
  if (peer_->claim == 0 || grant_ != 0 || giving_up()) return;
  if (claim_ != 0 && claimed_with_ > peer_->ballot) return;
  claim_ = 0;
  grant_ = peer_->claim;
  if (role_ == Role::kInit) become(Role::kStandby, Cause::kHeard);
}

void RoleMachine::mind_hand_over(TimePoint now) {
  if (!active()) return;
  const bool wanted = stands(now) && peer_->claim != 0 && peer_->role != Role::kActive;
  const bool begun = sequence_ && sequence_->hands_over();
  const bool forced = offer_ == Offer::kForced;
  if (!begun) {
    const bool may = (session_.synced || forced) && now >= hand_over_from_ && (!sequence_ || sequence_->complete());
    if (wanted && may) begin(forced ? Plan::kForcedHandOver : Plan::kHandOver, now);
  } else if (!wanted || sequence_->failed()) {
    fail_hand_over(now);
  } else if (sequence_->complete()) {
    complete_hand_over(now);
  }
}

void RoleMachine::fail_hand_over(TimePoint now) {
  act(Action::Kind::kHandOverFailed);
  offer_ = Offer::kNone;
  hand_over_from_ = now + kHandOverPause;
  if (sequence_->only_draining()) {
    sequence_.reset();
  } else {
    begin(Plan::kTake, now);
  }
}

void RoleMachine::mind_silence(TimePoint now) {
  const bool listens = listens_until_ && now < *listens_until_;
  const bool beside_active = disagreeing_active_ && disagrees(now);
  const bool alone = able() && heartbeats_silent(now) && !patient(now) && !listens && !beside_active;
  if (settings_.external) {
    if (alone && (promoted_ || entrusts())) become_active(promoted_ ? Cause::kPromoted : Cause::kSilence, now);
    if (role_ == Role::kInit && !promoted_ && !patient(now)) become(Role::kStandby, Cause::kDemoted);
    return;
  }
  vrrp_.set_preempt(wants_back());
  vrrp_.permit(alone && vrrp_.silent(now));
  vrrp_.tick(now);
}

void RoleMachine::mind_outputs(TimePoint now) {
  for (const auto output : vrrp_.take_outputs()) {
    switch (output) {
      case Vrrp::Output::kAdvertise:
        act(Action::Kind::kAdvertise);
        break;
      case Vrrp::Output::kResign:
        resign_at_end_ = true;
        break;
      case Vrrp::Output::kHeardLower:
        meet(now);
        break;
      case Vrrp::Output::kBecameActive:
        if (!active()) become_active(Cause::kSilence, now);
        break;
      case Vrrp::Output::kBecameBackup:
        if (active()) step_down(Cause::kHigher, now);
        break;
    }
  }
}

void RoleMachine::mind_sequence(TimePoint now) {
  if (!sequence_) return;
  while (const auto step = sequence_->next(now)) actions_.push_back({.kind = Action::Kind::kStep, .step = *step});
  if (!sequence_->complete() || !resign_at_end_) return;
  resign_at_end_ = false;
  act(Action::Kind::kResign);
}

void RoleMachine::complete_hand_over(TimePoint now) {
  grant_ = peer_->claim;
  resting_ = !stopping_ && (offer_ == Offer::kFailover || offer_ == Offer::kForced);
  promoted_ = false;
  unsent_ = entrusted_ = true;
  offer_ = Offer::kNone;
  offer_until_ = now + kOfferLimit;
  vrrp_.yield(now);
  become(Role::kStandby, Cause::kHandedOver);
}

void RoleMachine::mind_following(TimePoint now) {
  const bool follows = role_ == Role::kStandby && stands(now) && peer_->role == Role::kActive;
  following_ = following_ && follows;
  if (following_ || !follows || giving_up() || (unsent_ && !session_.drained)) return;
  following_ = true;
  unsent_ = false;
  act(Action::Kind::kFollow);
}

/// A peer that is not synced is waited for: it may be soon.
void RoleMachine::mind_stop(TimePoint now) {
  if (!stopping_ || stopped_ || !active() || nobody_else(now)) return;
  const bool may_take = stands(now) && (peer_->role == Role::kStandby || peer_->role == Role::kInit);
  if ((offer_ != Offer::kNone || may_take) && now < offer_until_) return;
  entrusted_ = vrrp_.silent(now);
  if (offer_ == Offer::kNone) offer_until_ = now + kOfferLimit;  // it may take the role now
  vrrp_.yield(now);
  resign_at_end_ = !settings_.external;
  give_up(Role::kStandby, Cause::kStopped, now);
}

void RoleMachine::mind_end(TimePoint now) {
  if (!stopping_ || stopped_ || giving_up()) return;
  if (active() && (!nobody_else(now) || (sequence_ && !sequence_->complete()))) return;
  if ((entrusts() || (grant_ != 0 && stands(now))) && now < offer_until_) return;  // the grant may still be under way
  stopped_ = true;
  if (!active()) vrrp_.stop();
  act(Action::Kind::kStopped);
}

void RoleMachine::tell_changes(TimePoint now) {
  auto state = this->state(now);
  if (state.word) state.word->age = {};  // grows all the time
  if (!session_.connected || told_ == state) return;
  told_ = state;
  act(Action::Kind::kTell);
}

std::optional<TimePoint> RoleMachine::due() const {
  std::optional<TimePoint> due = vrrp_.due();
  const auto sooner = [&](TimePoint at) { due = due ? std::min(*due, at) : at; };
  const auto later = [&](TimePoint at) {
    if (at > settled_at_) sooner(at);
  };
  if (const auto step = sequence_ ? sequence_->due() : std::nullopt) sooner(*step);
  if (stopping_ || offer_ != Offer::kNone) later(offer_until_);
  if (listens_until_) later(*listens_until_);
  if (disagrees_until_) later(*disagrees_until_);
  if (active() && !healthy_) later(health_stands_since_ + health_patience_);
  if (vrrp_.state() == Vrrp::State::kBackup) later(vrrp_.silent_at());
  later(heard_at_ ? *heard_at_ + vrrp_.down_interval() : started_at_ + kStartPatience);
  return due;
}

}  // namespace wsl4::election
