#include "tests/sim/election/world.h"

#include <algorithm>

#include <fmt/format.h>

namespace wsl4::sim {

using election::Action;
using election::Cause;
using election::Role;
using election::Step;
using netlink::IpAddress;

namespace {

constexpr milliseconds kHealing{3000};  // two actives that see each other, or none, are not for longer
constexpr milliseconds kTakeTime{4000};

}  // namespace

IpAddress World::address_of(int node) { return *IpAddress::parse(node == 0 ? "198.18.0.1" : "198.18.0.2"); }

World::World(const Shape& shape, std::uint64_t seed) : shape_(shape), random_(seed) {
  for (int node : {0, 1}) start(node);
}

Role World::role(int node) const {
  const auto& machine = nodes_.at(index(node)).machine;
  return machine ? machine->role() : Role::kInit;
}

int World::actives() const { return (role(0) == Role::kActive ? 1 : 0) + (role(1) == Role::kActive ? 1 : 0); }

void World::start(int node) {
  auto& self = at(node);
  election::RoleMachine::Settings settings;
  settings.vrrp = {shape_.priority.at(index(node)), shape_.interval, shape_.preempt, address_of(node)};
  settings.track = {"eth0"};
  settings.external = shape_.external;
  ++self.life;
  self.restarts = false;
  self.last_advert = self.last_word = self.last_read_word = std::nullopt;
  none_since_.reset();
  self.machine.emplace(settings, now_);
  self.machine->set_flows(self.flows);
  self.tell_at = now_;
  self.asleep_until = now_;
  look_around(node);
}

void World::look_around(int node) {
  auto& self = at(node);
  self.unseen = false;
  self.machine->links({{"eth0", self.carrier}}, now_);
  obey(node);
  self.machine->set_healthy(self.healthy, now_);
  obey(node);
}

void World::crash(int node, milliseconds for_how_long) {
  auto& self = at(node);
  if (!self.machine) return;
  self.machine.reset();
  self.addresses = self.owns = false;
  vanish(node);
  self.inbox.clear();
  self.restarts = true;
  self.restart_at = now_ + for_how_long;
  disconnect(node);
}

void World::carrier(int node, bool up) {
  at(node).carrier = up;
  none_since_.reset();
  at(node).unseen = true;
}

void World::healthy(int node, bool healthy) {
  at(node).healthy = healthy;
  at(node).unseen = true;
}

bool World::failover(int node, bool force) {
  if (!awake(node)) return false;
  const bool done = at(node).machine->failover(force, now_).has_value();
  obey(node);
  return done;
}

bool World::promote(int node) {
  if (!awake(node)) return false;
  const bool done = at(node).machine->promote(now_).has_value();
  obey(node);
  return done;
}

void World::stop(int node) {
  if (!awake(node)) return;
  at(node).machine->stop(now_);
  obey(node);
}

void World::mend_all() {
  loss_ = spikes_ = 0;
  adverts_cut_ = {};
  cut_session(false);
  for (int node : {0, 1}) {
    carrier(node, true);
    healthy(node, true);
    if (!running(node)) start(node);
  }
}

std::optional<TimePoint> World::next_time() const {
  std::optional<TimePoint> next = connect_at_;
  const auto sooner = [&](TimePoint when) { next = next ? std::min(*next, when) : when; };
  if (!events_.empty()) sooner(events_.begin()->first);
  for (const auto& node : nodes_) {
    if (node.restarts) sooner(node.restart_at);
    if (!node.machine) continue;
    if (const auto due = node.machine->due()) sooner(std::max(*due, node.asleep_until));
    sooner(std::max(node.tell_at, node.asleep_until));
    if (!node.inbox.empty() || node.unseen) sooner(node.asleep_until);
  }
  return next;
}

bool World::run(milliseconds span) {
  const auto end = now_ + span;
  for (int still = 0; problem_.empty();) {
    const auto next = next_time();
    if (!next || *next > end) break;
    still = *next > now_ ? 0 : still + 1;
    if (still > 1000) fail("time stands still: a timer is due again and again");
    now_ = std::max(now_, *next);
    mind_session();
    while (!events_.empty() && events_.begin()->first <= now_) {
      const auto event = events_.extract(events_.begin());
      arrive(event.mapped());
    }
    for (int node : {0, 1}) {
      if (at(node).restarts && now_ >= at(node).restart_at) start(node);
      if (awake(node)) wake(node);
    }
    check();
  }
  if (problem_.empty()) now_ = end;
  return problem_.empty();
}

/// Whether the timer or what waits in the sockets comes first is anybody's guess, but for a timer that is not late.
void World::wake(int node) {
  auto& self = at(node);
  const auto due = self.machine->due();
  const bool timer_first = due && now_ > *due + election::RoleMachine::kLate && chance(0.5);
  if (timer_first) tick_node(node);
  while (!self.inbox.empty() && running(node)) {
    const auto event = self.inbox.front();
    self.inbox.pop_front();
    handle(event);
  }
  if (!timer_first && running(node)) tick_node(node);
  if (running(node) && std::exchange(self.unseen, false)) look_around(node);
}

void World::tick_node(int node) {
  auto& self = at(node);
  if (const auto due = self.machine->due(); due && now_ >= *due) {
    self.machine->tick(now_);
    obey(node);
  }
  if (!running(node) || now_ < self.tell_at) return;
  self.tell_at = now_ + shape_.interval;
  say(node);
}

/// What the network has brought, whether or not the node has looked at it yet.
void World::obey(int node) {
  const auto actions = at(node).machine->take_actions();
  for (const auto& action : actions) obey(node, action);
}

void World::obey(int node, const Action& action) {
  switch (action.kind) {
    case Action::Kind::kStep:
      return obey_step(node, action.step);
    case Action::Kind::kAdvertise:
      return say_advert(node, static_cast<std::uint8_t>(shape_.priority.at(index(node))));
    case Action::Kind::kResign:
      return say_advert(node, 0);
    case Action::Kind::kTell:
      return say(node);
    case Action::Kind::kRole:
      return note_role(node, action);
    case Action::Kind::kStays:
      ++at(node).kept;
      hook_moved_to_ = node;
      return;
    case Action::Kind::kStopped:
      return note_stop(node);
    default:
      return;
  }
}

/// Addresses stay where nobody could take them, and with a node that has no role yet.
void World::note_stop(int node) {
  const auto& self = at(node);
  const bool addresses = self.addresses;
  const bool heard = self.last_read_word && now_ < *self.last_read_word + 3 * shape_.interval;
  const bool beside = self.session.connected && heard && self.told != Role::kFault;
  const bool keeps = role(node) == Role::kInit || (role(node) == Role::kActive && !beside);
  if (addresses && !keeps) fail(fmt::format("node {} stopped with its addresses on", node));
  if (!addresses && role(node) == Role::kActive) fail(fmt::format("node {} stopped without its addresses", node));
  crash(node, between(500, 3000));
  at(node).addresses = addresses;
}

void World::obey_step(int node, Step step) {
  auto& self = at(node);
  const auto& peer = at(other(node));
  if (step == Step::kAddAddresses) {
    const bool hidden = self.taken_by == alone() || peer.addresses_by == alone();
    if (peer.addresses && !hidden) fail(fmt::format("node {} adds addresses that the other one has", node));
    self.addresses = true;
    self.addresses_by = self.taken_by;
  } else if (step == Step::kRemoveAddresses) {
    self.addresses = false;
  } else if (step == Step::kAnnounce) {
    self.announced = now_;
  }
  const bool waits = step == Step::kDrain || step == Step::kAwaitEntries;
  // Until its limit; but nobody waits for the entries of a node that is gone.
  const bool may_last = step == Step::kDrain || self.machine->takeover()->plan() == election::Plan::kMeet;
  if (waits && may_last && (!self.session.synced || chance(0.05))) return;
  post(now_ + (waits ? between(0, 60) : between(0, 4)), node, self.life, StepDone{step});
}

/// Without a word to the other one.
void World::vanish(int node) {
  at(node).announced = {};
  if (hook_moved_to_ == node) hook_moved_to_.reset();
}

void World::note_role(int node, const Action& action) {
  auto& self = at(node);
  ++changes_;
  if (action.role != Role::kActive) {
    if (!self.machine->takeover()) self.addresses = false;  // what a stop has left, as pair::RoleRunner does
    self.taken_by.reset();
    // As pair::RoleRunner too: what it had goes to another active when the session stands again.
    self.owns = self.owns && action.cause == Cause::kHigher;
    if (action.cause != Cause::kHigher && action.cause != Cause::kHandedOver) vanish(node);
    return;
  }
  self.owns = true;
  hook_moved_to_ = node;
  self.taken_by = action.cause;
  self.flows += 100;
  const auto heard_lately = [&](const std::optional<TimePoint>& last) { return last && now_ < *last + 3 * shape_.interval; };
  if (action.cause == Cause::kSilence && (heard_lately(self.last_advert) || heard_lately(self.last_word))) {
    const auto ago = [&](const std::optional<TimePoint>& last) {
      return last ? fmt::format("{} ms ago", std::chrono::duration_cast<milliseconds>(now_ - *last).count()) : "never";
    };
    fail(fmt::format("node {} took the role although the other one was heard: advert {}, heartbeat {}", node, ago(self.last_advert),
                     ago(self.last_word)));
  }
  const bool both = role(other(node)) == Role::kActive;
  if (both && action.cause != alone() && at(other(node)).taken_by != alone()) {
    fail(fmt::format("node {} was granted a role that the other one has", node));
  }
}

void World::check() {
  const bool clear = loss_ == 0 && !adverts_cut_[0] && !adverts_cut_[1] && !session_cut_;
  const bool nobody_sleeps = now_ >= at(0).asleep_until && now_ >= at(1).asleep_until;
  const bool two = clear && nobody_sleeps && actives() == 2;
  if (!two) two_since_.reset();
  if (two && !two_since_) two_since_ = now_;
  if (two && now_ > *two_since_ + kHealing) fail("two actives that see each other");

  const bool somebody = (running(0) && at(0).carrier) || (running(1) && at(1).carrier);
  const bool none = !shape_.external && clear && nobody_sleeps && somebody && actives() == 0;
  if (!none) none_since_.reset();
  if (none && !none_since_) none_since_ = now_;
  if (none && now_ > *none_since_ + kTakeTime) fail("nobody takes the role");
}

void World::fail(const std::string& what) {
  if (problem_.empty()) problem_ = fmt::format("after {} ms: {}", now().count(), what);
}

}  // namespace wsl4::sim
