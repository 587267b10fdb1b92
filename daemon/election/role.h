// Which role this node has: active, standby, init or fault. Pure: what happens and `now` in, actions out.
//
// Two rules, so that there are two actives only if the network hides them from each other:
//
//   1. While the session stands, the role is taken only with the peer's grant. An active gives it after it has handed over, others
//   at
//      once, unless they claim the role themselves with a better ballot.
//   2. While both adverts and heartbeats have been silent for Active_Down_Interval, it is taken as RFC 9568 says. A node that finds
//      its timer late has slept: what it did not hear may wait unread, so it listens a moment longer, and claims anew.
//
//     claimed is the role                           granted
//     with no active                                by ballot (peer_state.h)
//     offered by the active                         after a hand-over
//     by a synced node of higher priority, preempt  after a hand-over
//     by `promote`                                  after a hand-over, if synced
//
// A hand-over takes the addresses off before it grants. Two actives that meet, by advert or by heartbeat: the lower one (priority,
// then address; under external election the one whose operator's word is older) steps down after it has sent its flows, at most
// Takeover::kEntriesLimit later; the other one drops packets of no flow meanwhile. Against a router without a session (keepalived)
// it is the RFC alone, without preemption: such a node is never synced.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/election/peer_state.h"
#include "daemon/election/takeover.h"
#include "daemon/election/vrrp.h"

namespace wsl4::election {

/// Why a role changed.
enum class Cause : std::uint8_t {
  kSilence,     // neither adverts nor heartbeats of an active
  kGranted,     // by the peer
  kPromoted,    // by an operator, with no peer in sight
  kHandedOver,  //
  kHigher,      // another active that comes first was met
  kHeard,       // an active was heard at the start, or the peer has been granted the role
  kForced,      // `failover --force` without a peer
  kDemoted,
  kCarrier,  // a tracked interface has none
  kRecovered,
  kStopped,
};
[[nodiscard]] std::string_view to_string(Cause cause);

struct Action {
  enum class Kind : std::uint8_t {
    kStep,            // begin `step`; after the ones before it have ended, and tell `finished`
    kAdvertise,       // send an advert of this node's priority in each family
    kResign,          // the same with priority 0
    kTell,            // `state` to the peer, now
    kRole,            // the role is `role` now, because of `cause`
    kStays,           // another active was met, and has given the role up: whatever moves with it may point there
    kFollow,          // the peer is active and has all of ours: flows that it does not hold may go
    kHandOverFailed,  // the peer did not take the role, or the queue did not drain: this node stays active
    kStopped,         // after `stop`: nothing is left to do; the last action, but for adverts of a node that stays active
  };
  Kind kind;
  Step step = Step::kDrain;
  Role role = Role::kInit;
  Cause cause = Cause::kHeard;
};

/// Of the sync session, as it is now.
struct SessionState {
  bool connected = false;
  bool synced = false;     // the standby of the two holds every flow of the active
  bool drained = false;    // the peer has acknowledged all that this node had to send
  bool peer_owns = false;  // the peer has flows of its own to send: it is active, or was and is not done with them
  friend bool operator==(const SessionState&, const SessionState&) = default;
};

class RoleMachine {
 public:
  /// A node that starts waits so long for a session before it thinks itself alone.
  static constexpr std::chrono::milliseconds kStartPatience{1000};
  /// A timer is late beyond kLate; what waits unread is read within kListen.
  static constexpr std::chrono::milliseconds kLate{2}, kListen{20};
  /// An offer is withdrawn, and a stop gone on with, if nobody has taken the role by then.
  static constexpr std::chrono::milliseconds kOfferLimit{3000};
  /// After a hand-over that failed none is begun for so long.
  static constexpr std::chrono::milliseconds kHandOverPause{1000};
  /// An active whose services fail offers the role to a peer whose do not after so long: the peer's checks may notice the same a
  /// moment later. Four times as long for each time that the role has come from the peer in this way, since each may see what the
  /// other does not; until this node has stayed healthy for the time that it is then.
  static constexpr std::chrono::seconds kHealthPatience{10}, kLongestHealthPatience{3600};
  static constexpr std::chrono::seconds kAdvertsMissed{2};
  /// A peer that disagrees is there for so long; attempts follow each other within a second.
  static constexpr std::chrono::milliseconds kDisagreement{3000};
  /// Between two fences for another active's flows.
  static constexpr std::chrono::milliseconds kMeetPause{3000};

  struct Settings {
    bool external = false;  // election = "external": no adverts, no tracking; promote and demote say
    Vrrp::Settings vrrp;    // external: the address is that of ha.listen
    std::vector<std::string> track;
    std::string sync_link;  // is not tracked; empty where VIPs or pool addresses are on it too
    bool promoted = false;  // external: what was said last, before this daemon started
    std::chrono::milliseconds promoted_ago{0};
    bool resting = false;  // the last change of roles before this daemon started was `failover` here
  };
  using Answer = tl::expected<void, std::string>;  // the error says why it is refused and what to do

  RoleMachine(const Settings& settings, TimePoint now);

  void advert(const Advert& advert, const IpAddress& source, TimePoint now);
  void session(const SessionState& session, TimePoint now);
  /// With each heartbeat and each change; only while the session is connected.
  void peer(const PeerState& state, TimePoint now);
  /// The peer was spoken to, and no session can be had: it knows no common version, or settings differ that must not. Said with
  /// each attempt. An `active` one is heard of so: this node does not take the role beside it.
  void peer_disagrees(bool active, TimePoint now);
  /// Instead of those of the settings; they count from the next `links`.
  void set_track(std::vector<std::string> track, std::string sync_link);
  /// Carrier of this machine's links by name; one that is not there has none.
  void links(const std::map<std::string, bool>& carrier, TimePoint now);
  void set_healthy(bool healthy, TimePoint now);
  void set_priority(int priority, TimePoint now);
  /// That this node holds.
  void set_flows(std::uint64_t flows) { flows_ = flows; }
  Answer failover(bool force, TimePoint now);
  Answer promote(TimePoint now);
  Answer demote(TimePoint now);
  /// A promotion that has not come true is not wanted any more.
  void forget_promotion(TimePoint now);
  /// Hands over to a peer that is synced or becomes so in time, and takes the role again if that one does not. Beside any other
  /// that could take it it withdraws; with nobody there it stays active, and what it has stays. Ends with kStopped.
  void stop(TimePoint now);
  void finished(Step step, TimePoint now);
  void tick(TimePoint now);

  [[nodiscard]] std::optional<TimePoint> due() const;
  [[nodiscard]] std::vector<Action> take_actions() { return std::exchange(actions_, {}); }
  [[nodiscard]] PeerState state(TimePoint now) const;
  [[nodiscard]] Role role() const { return role_; }
  /// A standby whose peer says that it is active, and which has heard no advert for kAdvertsMissed longer than it should.
  [[nodiscard]] bool misses_adverts(TimePoint now) const;
  /// Tracked links without carrier, and those that are not there: while there are any, this node is in fault.
  [[nodiscard]] const std::vector<std::string>& lost_links() const { return lost_; }
  /// The last one begun; none before the first.
  [[nodiscard]] const std::optional<Takeover>& takeover() const { return sequence_; }

 private:
  [[nodiscard]] bool disagrees(TimePoint now) const { return disagrees_until_ && now < *disagrees_until_; }
  [[nodiscard]] bool has_fault() const { return !lost_.empty(); }
  [[nodiscard]] bool stands(TimePoint now) const { return session_.connected && peer_ && !heartbeats_silent(now); }
  [[nodiscard]] bool heartbeats_silent(TimePoint now) const { return !heard_at_ || now >= *heard_at_ + vrrp_.down_interval(); }
  [[nodiscard]] bool patient(TimePoint now) const { return !heard_at_ && now < started_at_ + kStartPatience; }
  [[nodiscard]] bool active() const { return role_ == Role::kActive; }
  [[nodiscard]] bool able() const { return (!stopping_ || entrusts()) && !has_fault() && !active() && !giving_up(); }
  [[nodiscard]] bool nobody_else(TimePoint now) const;
  [[nodiscard]] bool giving_up() const;
  [[nodiscard]] bool handing_over() const;
  [[nodiscard]] bool entrusts() const;
  [[nodiscard]] bool wants_back() const;
  [[nodiscard]] bool wants_role(TimePoint now) const;
  [[nodiscard]] bool wants_from_active() const;
  [[nodiscard]] bool comes_first(const Ballot& other) const;
  [[nodiscard]] std::optional<bool> stays(TimePoint now) const;
  [[nodiscard]] Ballot ballot() const { return {flows_, settings_.vrrp.priority, settings_.vrrp.address}; }

  void settle(TimePoint now);
  void mind_sleep(TimePoint now);
  void mind_other_active(TimePoint now);
  void mind_offer(TimePoint now);
  void mind_claims(TimePoint now);
  void mind_own_claim(TimePoint now);
  void mind_peer_claim();
  void mind_hand_over(TimePoint now);
  void mind_silence(TimePoint now);
  void mind_outputs(TimePoint now);
  void mind_sequence(TimePoint now);
  void mind_following(TimePoint now);
  void mind_stop(TimePoint now);
  void mind_end(TimePoint now);
  void tell_changes(TimePoint now);

  void become(Role role, Cause cause);
  void become_active(Cause cause, TimePoint now);
  void step_down(Cause cause, TimePoint now);
  void give_up(Role role, Cause cause, TimePoint now);
  void meet(TimePoint now);
  void fence(TimePoint now);
  void begin(Plan plan, TimePoint now);
  void complete_hand_over(TimePoint now);
  void fail_hand_over(TimePoint now);
  void act(Action::Kind kind) { actions_.push_back({kind}); }

  Settings settings_;
  Vrrp vrrp_;
  Role role_ = Role::kInit;
  TimePoint started_at_, settled_at_;
  std::optional<TimePoint> due_at_;         // as it was then
  std::optional<TimePoint> listens_until_;  // after a sleep; until something is heard there is no second time
  SessionState session_;
  std::vector<std::string> lost_;
  std::optional<PeerState> peer_;  // of this connection
  std::optional<TimePoint> disagrees_until_;
  bool disagreeing_active_ = false;
  std::optional<TimePoint> heard_at_;  // the peer's last heartbeat, also of an older connection
  std::uint32_t claim_ = 0, last_claim_ = 0, grant_ = 0;
  Ballot claimed_with_;
  Offer offer_ = Offer::kNone;
  TimePoint offer_until_, met_at_, hand_over_from_;
  TimePoint said_at_;              // external: when an operator's word last made this node active
  std::optional<TimePoint> met_;   // when another active was heard last, which has not been seen to step down since
  TimePoint health_stands_since_;  // `healthy_` is so, and the role is had
  std::chrono::seconds health_patience_ = kHealthPatience;
  std::uint64_t flows_ = 0;
  bool healthy_ = true, promoted_ = false, stopping_ = false, stopped_ = false;
  bool remembered_ = false;     // `promoted_` was said before this daemon started
  bool resting_;                // after `failover`: does not preempt before it has been active again
  bool entrusted_ = false;      // this node gave the role up for the peer, which has not been heard of with it
  bool unsent_ = false;         // what it had as an active may be unknown to the peer
  bool following_ = false;      // kFollow has been said
  bool unmet_ = false;          // the peer has begun to own flows beside this active, which has not minded it yet
  bool last_word_ = false;      // it is this node's, of the two
  bool resign_at_end_ = false;  // of the sequence: not before the addresses are off
  std::optional<Takeover> sequence_;
  std::optional<PeerState> told_;
  std::vector<Action> actions_;
};

}  // namespace wsl4::election
