#include "daemon/pair/pair.h"

#include <pthread.h>

#include <algorithm>
#include <future>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/post.hpp>

#include "daemon/pair/shared.h"
#include "daemon/runtime/kernel_worker.h"
#include "daemon/util/ask.h"
#include "daemon/util/counted.h"
#include "daemon/util/log.h"

namespace wsl4::pair {

namespace asio = boost::asio;
using election::Cause;
using election::Role;

namespace {

/// Without a byte for so long a connection is of no use.
constexpr std::chrono::seconds kSilence{1};
constexpr int kSilentIntervals = 5;

std::uint64_t random_incarnation() {
  std::random_device random;
  return (std::uint64_t{random()} << 32 | random()) | 1;
}

sync::Options session_options(const config::Config& config) {
  sync::Options options;
  options.node = config.node.name;
  options.incarnation = random_incarnation();
  options.priority = static_cast<std::uint8_t>(config.ha->priority);
  options.heartbeat_interval = config.ha->advert_interval;
  options.silence = std::max<sync::Time>(kSilence, kSilentIntervals * config.ha->advert_interval);
  return options;
}

std::string plan_name(election::Plan plan) {
  switch (plan) {
    case election::Plan::kTake:
      return "take";
    case election::Plan::kMeet:
      return "meet";
    case election::Plan::kHandOver:
      return "hand-over";
    case election::Plan::kForcedHandOver:
      return "forced-hand-over";
    case election::Plan::kStepDown:
      return "step-down";
    case election::Plan::kWithdraw:
      break;
  }
  return "withdraw";
}

}  // namespace

Pair::Pair(const config::Config& config, Callbacks callbacks)
    : ha_(*config.ha),
      callbacks_(std::move(callbacks)),
      work_(io_.get_executor()),
      replication_(io_, session_options(config), replication_callbacks()) {}

tl::expected<std::unique_ptr<Pair>, std::string> Pair::open(const config::Config& config, RoleRunner::Remembered remembered,
                                                            Callbacks callbacks) {
  std::unique_ptr<Pair> pair(new Pair(config, std::move(callbacks)));
  auto keys = peer::load_keys(config.ha->key_file);
  if (!keys) return tl::make_unexpected(fmt::format("ha.key_file: {}", fmt::join(keys.error(), "; ")));
  pair->keys_ = std::move(*keys);
  auto runner = RoleRunner::open(pair->io_, config, remembered, pair->replication_, pair->runner_callbacks());
  if (!runner) return tl::make_unexpected(runner.error());
  pair->runner_ = std::move(*runner);
  return pair;
}

Pair::~Pair() { join(); }

void Pair::run() {
  beat();
  thread_ = std::jthread([this] {
    pthread_setname_np(pthread_self(), "pair");
    io_.run();
  });
}

void Pair::join() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
  runner_.reset();  // first: the end of a connection would make it act
  link_.reset();
}

void Pair::beat() {
  pulse_.beat(runtime::Pulse::Clock::now());
  auto timer = std::make_shared<asio::steady_timer>(io_, runtime::Pulse::kBeatInterval);
  timer->async_wait([this, timer](const boost::system::error_code& cancelled) {
    if (!cancelled) beat();
  });
}

template <class Function>
void Pair::post(Function function) {
  asio::post(io_, std::move(function));
}

// ---- the kernel thread -----------------------------------------------------------------------------------------

flows::Replicator::Callbacks Pair::replicator_callbacks() {
  flows::Replicator::Callbacks callbacks;
  callbacks.on_changes = [this](flows::FlowChanges changes) {
    post([this, changes = std::move(changes)] {
      replication_.take(changes);
      if (kernel_ != nullptr) kernel_->replicator().taken(changes.size());
    });
  };
  callbacks.on_done = [this](flows::OperationsDone done) { post([this, done = std::move(done)] { replication_.done(done); }); };
  return callbacks;
}

Replication::Callbacks Pair::replication_callbacks() {
  Replication::Callbacks callbacks;
  callbacks.apply = [this](sync::Batch batch) {
    asio::post(kernel_->io(), [this, batch = std::move(batch)] { kernel_->replicator().apply(batch); });
  };
  callbacks.on_event = [this](const sync::Event& event) { handle(event); };
  callbacks.wake = [this] {
    if (link_) link_->wake();
  };
  callbacks.on_heartbeat = [this] {
    runner_->heartbeat();
    replication_.session().publish(kElectionTopic, encode(runner_->state()));
  };
  callbacks.on_progress = [this] {
    if (runner_) runner_->session_changed();
  };
  callbacks.on_drift = [this](std::size_t flows) {
    callbacks_.on_event("drift-repaired", util::counted(flows, "connection", "connections") +
                                              " put right: this node's kernel did not have what the peer has");
  };
  return callbacks;
}

void Pair::set_gate(service::Gate gate, RoleRunner::Then then) {
  asio::post(kernel_->io(), [this, gate, then = std::move(then)]() mutable {
    if (const auto set = kernel_->set_gate(gate); !set) log::error("gate-not-set", "error=\"{}\"", set.error().message());
    post(std::move(then));
  });
}

void Pair::catch_up(RoleRunner::Then then) {
  asio::post(kernel_->io(), [this, then = std::move(then)]() mutable {
    if (const auto caught_up = kernel_->catch_up(); !caught_up)
      log::error("conntrack-events-failed", "error=\"{}\"", caught_up.error().message());
    post(std::move(then));
  });
}

// ---- the election ----------------------------------------------------------------------------------------------

RoleRunner::Callbacks Pair::runner_callbacks() {
  RoleRunner::Callbacks callbacks;
  callbacks.set_gate = [this](service::Gate gate, RoleRunner::Then then) { set_gate(gate, std::move(then)); };
  callbacks.catch_up = [this](RoleRunner::Then then) { catch_up(std::move(then)); };
  callbacks.spare_present = [this](bool spare) {
    asio::post(kernel_->io(), [this, spare] { kernel_->replicator().spare_present(spare); });
  };
  callbacks.tell = [this](const election::PeerState& state) {
    replication_.session().publish(kElectionTopic, encode(state));
    if (link_) link_->wake();
  };
  callbacks.on_role = [this](Role role, Cause cause) { change_role(role, cause); };
  callbacks.on_kept = callbacks_.on_kept;
  callbacks.on_event = callbacks_.on_event;
  callbacks.on_stopped = [this] {
    replication_.session().leave();
    replication_.pump();
    if (link_) link_->retire();  // what the daemon waits for from now on is no reason for the peer to count on it
    callbacks_.on_stopped();
  };
  return callbacks;
}

void Pair::change_role(Role role, Cause cause) {
  role_since_ = std::chrono::system_clock::now();
  ++transitions_;
  silent_ = cause == Cause::kSilence;
  asio::post(kernel_->io(), [this, active = role == Role::kActive] { kernel_->set_active(active); });
  callbacks_.on_role(role, cause);
}

void Pair::handle(const sync::Event& event) {
  using namespace sync::event;
  if (const auto* connected = std::get_if<Connected>(&event)) {
    last_end_.clear();
    callbacks_.on_event("peer-connected", fmt::format("{} with {}", connected->peer.node,
                                                      util::counted(connected->peer.flows, "connection", "connections")));
  } else if (const auto* ended = std::get_if<Ended>(&event)) {
    end_connection(*ended);
  } else if (const auto* differs = std::get_if<ConfigurationDiffers>(&event)) {
    if (differs->keys != differing_keys_ && !differs->keys.empty())
      callbacks_.on_event("configurations-differ", fmt::format("not the same on both nodes: {}", fmt::join(differs->keys, ", ")));
    differing_keys_ = differs->keys;
  } else if (const auto* changed = std::get_if<StateChanged>(&event)) {
    const bool synced = changed->state == sync::State::kSynced;
    const auto status = replication_.status();
    // Where the sessions of both are active, as during a change of roles, another comparison follows.
    const bool settled = !replication_.is_active() || status.peer.role != sync::Role::kActive;
    if (synced && settled)
      callbacks_.on_event("synced", util::counted(status.flows, "connection", "connections") + " on both nodes");
    if (changed->state == sync::State::kDisconnected) {
      peer_state_.reset();
      callbacks_.on_event("peer-disconnected", last_end_.empty() ? "the connection was lost" : last_end_);
    }
    synced_ = synced;
    note_protection();
  } else if (const auto* shared = std::get_if<sync::SharedState>(&event)) {
    if (shared->topic != kElectionTopic) return callbacks_.on_shared(*shared, peer_state_ && peer_state_->role == Role::kActive);
    if (const auto state = decode(shared->bytes)) {
      silent_ = false;
      peer_state_ = *state;
      runner_->peer_state(*state);
      note_protection();
    }
  }
}

void Pair::note_protection() {
  const bool is_protected = synced_ && peer_state_ && peer_state_->role != Role::kFault;
  if (std::exchange(protected_, is_protected) != is_protected) callbacks_.on_protected(is_protected);
}

void Pair::end_connection(const sync::event::Ended& ended) {
  const auto why = (ended.by_peer ? "the peer says: " : "") + ended.error.text;
  if (last_end_ != why) callbacks_.on_event("session-ended", why);
  last_end_ = why;
  link_->finish(why);
  if (ended.peer_role) runner_->peer_disagrees(*ended.peer_role == sync::Role::kActive);
}

// ---- from any thread -------------------------------------------------------------------------------------------

tl::expected<void, std::string> Pair::begin() {
  std::promise<tl::expected<void, std::string>> answer;
  auto future = answer.get_future();
  post([this, &answer] {
    peer::LinkOptions options{.listen = ha_.listen, .peer = ha_.peer};
    options.on_refused = [this](peer::Refusal why) {
      callbacks_.on_event("peer-refused", fmt::format("{}: {}", peer::to_string(why), peer::describe(why)));
    };
    auto link = peer::Link::start(io_, std::move(options), keys_, replication_);
    if (!link) return answer.set_value(tl::make_unexpected(link.error()));
    link_ = std::move(*link);
    replication_.start();
    runner_->start();
    answer.set_value({});
  });
  return future.get();
}

void Pair::stop() {
  post([this] { runner_->stop(); });
}

void Pair::set_addresses(addresses::MovingAddresses moving, std::set<netlink::IpAddress> idle) {
  post([this, moving = std::move(moving), idle = std::move(idle)]() mutable {
    runner_->set_addresses(std::move(moving), std::move(idle));
  });
}

void Pair::set_priority(int priority) {
  post([this, priority] { runner_->set_priority(priority); });
}

void Pair::set_healthy(bool healthy) {
  post([this, healthy] { runner_->set_healthy(healthy); });
}

void Pair::set_keys(peer::Keys keys) {
  post([this, keys = std::move(keys)]() mutable {
    if (const auto set = link_->set_keys(std::move(keys)); !set) log::error("keys-not-set", "error=\"{}\"", set.error());
  });
}

void Pair::set_configuration(std::vector<sync::KeyDigest> digests) {
  post([this, digests = std::move(digests)]() mutable {
    replication_.session().set_configuration(std::move(digests));
    replication_.pump();
  });
}

void Pair::publish(std::uint16_t topic, std::vector<std::uint8_t> bytes) {
  post([this, topic, bytes = std::move(bytes)]() mutable {
    if (!replication_.session().publish(topic, std::move(bytes))) log::error("not-shared", "topic={}", topic);
    replication_.pump();
  });
}

PairStatus Pair::look() const {
  PairStatus status;
  const auto& machine = runner_->machine();
  status.role = machine.role();
  status.role_since = role_since_;
  status.transitions = transitions_;
  status.election = ha_.election == config::Election::kVrrp ? "vrrp" : "external";
  status.priority = runner_->priority();
  status.peer_address = ha_.peer;
  if (peer_state_) status.peer_role = peer_state_->role;
  status.sync = replication_.status();
  if (silent_) status.sync.state = sync::State::kDisconnected;
  if (link_) status.link = link_->stats();
  if (status.sync.state == sync::State::kDisconnected)
    status.peer_error =
        silent_ && status.link.connected ? "nothing is heard of it, though the connection stands" : status.link.error;
  if (const auto* adverts = runner_->adverts()) status.adverts = *adverts;
  if (const auto& takeover = machine.takeover()) {
    status.takeover_plan = plan_name(takeover->plan());
    status.takeover = takeover->phases();
  }
  status.differing_keys = differing_keys_;
  status.warnings = runner_->problems();
  if (const auto& lost = machine.lost_links(); !lost.empty())
    status.warnings.push_back(fmt::format(
        "this node is in fault and cannot be active: no carrier, or no such interface (ha.track): {}", fmt::join(lost, ", ")));
  for (const auto& conflict : runner_->conflicts())
    status.warnings.push_back(conflict + "; if that is the other node, left so when it was stopped: wsl4ctl purge there");
  if (!runner_->strays().empty())
    status.warnings.push_back(
        fmt::format("this node is not active, yet has {}: new connections that come here are dropped; move the addresses to the "
                    "active node, or the role here",
                    runner_->strays()));
  if (status.adverts && !status.adverts->error.empty())
    status.warnings.push_back(fmt::format("adverts are not sent: {}", status.adverts->error));
  if (machine.misses_adverts(std::chrono::steady_clock::now()))
    status.warnings.push_back(fmt::format(
        "no adverts of the active come in by {}, only its session, and without both this node becomes active too: look at "
        "ha.interface and ha.unicast_peer of both nodes, and let IP protocol 112 through between them",
        ha_.interface));
  return status;
}

asio::awaitable<PairStatus> Pair::status() {
  auto question = [this] { return look(); };
  co_return co_await util::ask(io_, std::move(question));
}

asio::awaitable<bool> Pair::peer_is_active() {
  auto question = [this] { return peer_state_ && peer_state_->role == Role::kActive; };
  co_return co_await util::ask(io_, std::move(question));
}

asio::awaitable<std::set<netlink::IpAddress>> Pair::leftover() {
  auto question = [this] { return runner_->leftover(); };
  co_return co_await util::ask(io_, std::move(question));
}

asio::awaitable<tl::expected<void, std::string>> Pair::failover(bool force) {
  auto question = [this, force] { return runner_->failover(force); };
  co_return co_await util::ask(io_, std::move(question));
}

asio::awaitable<tl::expected<void, std::string>> Pair::set_role(bool active) {
  auto question = [this, active] { return active ? runner_->promote() : runner_->demote(); };
  co_return co_await util::ask(io_, std::move(question));
}

asio::awaitable<void> Pair::forget_promotion() {
  auto question = [this] { runner_->forget_promotion(); };
  co_await util::ask(io_, std::move(question));
}

}  // namespace wsl4::pair
