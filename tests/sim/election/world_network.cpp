// The network between the two nodes: adverts, and the session with its connections.
#include <algorithm>
#include <utility>

#include "tests/sim/election/world.h"

namespace wsl4::sim {

using netlink::IpAddress;

namespace {

constexpr milliseconds kSessionTimeout{1000};

}  // namespace

void World::cut_session(bool cut) {
  session_cut_ = cut;
  if (cut) return;
  for (const auto& event : std::exchange(held_, {})) {
    auto& last = last_delivery_.at(index(event.node));
    last = std::max(last, now_ + between(1, 20));
    post(last, event.node, event.context, event.content);
  }
}

void World::arrive(const Event& event) {
  auto& self = at(event.node);
  if (!self.machine) return;
  const bool local = std::holds_alternative<StepDone>(event.content);
  if (local && event.context != self.life) return;
  if (!local && !std::holds_alternative<Advert>(event.content) && event.context != self.connection) return;
  note_arrival(event);
  if (now_ < self.asleep_until || !self.inbox.empty()) {
    self.inbox.push_back(event);
  } else {
    handle(event);
  }
}

void World::note_arrival(const Event& event) {
  auto& self = at(event.node);
  if (const auto* advert = std::get_if<Advert>(&event.content)) {
    self.last_advert = advert->priority > 0 ? std::optional(now_) : std::nullopt;
  } else if (std::holds_alternative<Word>(event.content)) {
    self.last_word = now_;
    self.last_bytes = now_;
  }
}

void World::handle(const Event& event) {
  auto& self = at(event.node);
  const auto local = std::holds_alternative<StepDone>(event.content) || std::holds_alternative<Advert>(event.content);
  if (!local && event.context != self.connection) return;
  if (const auto* advert = std::get_if<Advert>(&event.content)) {
    const election::Advert whole{51, advert->priority, shape_.interval, {*IpAddress::parse("198.18.0.100")}};
    self.machine->advert(whole, address_of(other(event.node)), now_);
  } else if (const auto* word = std::get_if<Word>(&event.content)) {
    self.last_read_word = now_;
    self.told = word->state.role;
    self.machine->peer(word->state, now_);
    self.session.peer_owns = word->owns;
    self.machine->session(self.session, now_);
  } else if (const auto* step = std::get_if<StepDone>(&event.content)) {
    self.machine->finished(step->step, now_);
  } else if (std::holds_alternative<Synced>(event.content)) {
    self.session.synced = self.session.drained = true;
    self.machine->session(self.session, now_);
  } else {
    const auto& connection = std::get<Connection>(event.content);
    self.session = {connection.up, false, false, connection.owns};
    self.machine->session(self.session, now_);
  }
  obey(event.node);
}

void World::say(int node) {
  auto& self = at(node);
  if (self.connection == 0 || !self.machine) return;
  const Event event{other(node), self.connection, Word{self.machine->state(now_), self.owns}};
  if (session_cut_) {
    held_.push_back(event);
    return;
  }
  auto& last = last_delivery_.at(index(other(node)));
  last = std::max(last, now_ + between(0, chance(spikes_) ? 150 : 8));
  post(last, event.node, event.context, event.content);
  self.owns = self.owns && self.machine->role() == election::Role::kActive;  // it is told once more, and then the flows are there
}

void World::say_advert(int node, std::uint8_t priority) {
  if (adverts_cut_.at(index(node)) || !at(0).carrier || !at(1).carrier || chance(loss_)) return;
  post(now_ + between(0, chance(spikes_) ? 150 : 8), other(node), 0, Advert{priority});
}

void World::disconnect(int node) {
  auto& self = at(node);
  if (self.connection == 0) return;
  const auto connection = std::exchange(self.connection, 0);
  self.session = {};
  self.last_word = self.last_read_word;  // what waited unread is lost
  if (self.machine) {
    self.machine->session(self.session, now_);
    obey(node);
  }
  // The other end hears of it, if the network lets it.
  auto& peer = at(other(node));
  if (!session_cut_ && peer.connection == connection && peer.machine && now_ >= peer.asleep_until) disconnect(other(node));
}

void World::mind_session() {
  for (int node : {0, 1}) {
    auto& self = at(node);
    const bool dead = self.connection != 0 && self.connection != at(other(node)).connection && !session_cut_;
    if (self.connection == 0 || !self.machine || now_ < self.asleep_until) continue;
    if (dead || now_ > self.last_bytes + kSessionTimeout) disconnect(node);
  }
  const bool apart = at(0).connection == 0 && at(1).connection == 0;
  const bool possible = apart && !session_cut_ && running(0) && running(1);
  if (!possible) {
    connect_at_.reset();
  } else if (!connect_at_) {
    connect_at_ = now_ + between(20, 400);
  } else if (now_ >= *connect_at_) {
    connect_at_.reset();
    ++last_connection_;
    const auto first = now_ + between(0, 5), second = first + between(0, 10), synced = second + between(50, 800);
    for (int node : {0, 1}) {
      at(node).connection = last_connection_;
      at(node).last_bytes = now_;
      last_delivery_.at(index(node)) = second;  // nothing before both know
      post(node == 0 ? first : second, node, last_connection_, Connection{true, at(other(node)).owns});
      post(synced + between(0, 10), node, last_connection_, Synced{});
    }
  }
}

}  // namespace wsl4::sim
