// The daemon as one node of a pair: what its roles mean to everything else, and what it shares with the peer.
#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/pair/digests.h"
#include "daemon/runtime/app.h"
#include "daemon/runtime/refused.h"
#include "daemon/service/layers.h"
#include "daemon/service/overlay_json.h"
#include "daemon/util/ask.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace asio = boost::asio;
using control::Outcome;
using control::Refusal;
using election::Cause;
using election::Role;

namespace {

/// A peer is waited for twice RoleMachine::kOfferLimit: until it is synced, and until it has the role. The rest is for the steps.
constexpr std::chrono::seconds kLeaveLimit{8};
constexpr std::chrono::milliseconds kLookPause{5};
/// Tendings without an active peer after which its verdicts count no more.
constexpr int kVerdictsLast = 5;
/// So long an operator waits for what comes of a change of roles.
constexpr std::chrono::seconds kRoleLimit{6};

std::string_view to_string(sync::State state) {
  switch (state) {
    case sync::State::kBulk:
      return "bulk";
    case sync::State::kSynced:
      return "synced";
    case sync::State::kDisconnected:
      break;
  }
  return "disconnected";
}

control::SyncStatus to_status(const sync::Status& sync, const peer::LinkStats& link) {
  control::SyncStatus status;
  status.state = to_string(sync.state);
  status.flows = sync.flows;
  status.pending = sync.pending;
  status.lag_ms = std::chrono::duration<double, std::milli>(sync.lag).count();
  status.sent = sync.sent;
  status.received = sync.received;
  status.resyncs = sync.resyncs;
  status.repairs = sync.repairs;
  status.refused = sync.refusals;
  status.bytes_sent = link.traffic.sent;
  status.bytes_received = link.traffic.received;
  return status;
}

control::HaStatus to_status(pair::PairStatus pair) {
  control::HaStatus status;
  status.election = pair.election;
  const bool connected = pair.sync.state != sync::State::kDisconnected;
  status.peer = control::PeerStatus{pair.sync.peer.node, pair.peer_address, connected,
                                    connected ? std::string(to_string(pair.peer_role)) : ""};
  status.sync = to_status(pair.sync, pair.link);
  status.transitions = pair.transitions;
  status.priority = pair.priority;
  if (pair.adverts) {
    status.adverts_sent = pair.adverts->sent;
    status.adverts_received = pair.adverts->received;
    for (std::size_t i = 0; i < pair.adverts->rejected.size(); ++i)
      status.adverts_rejected.emplace(to_string(static_cast<election::Rejection>(i)), pair.adverts->rejected.at(i));
  }
  status.link_connections = pair.link.connections;
  for (std::size_t i = 0; i < pair.link.refusals.size(); ++i)
    status.link_refusals.emplace(to_string(static_cast<peer::Refusal>(i)), pair.link.refusals.at(i));
  status.takeover_plan = std::move(pair.takeover_plan);
  for (const auto& phase : pair.takeover)
    status.takeover.push_back(
        {std::string(to_string(phase.step)), std::chrono::duration_cast<std::chrono::microseconds>(phase.took), phase.done});
  status.differing_keys = std::move(pair.differing_keys);
  return status;
}

}  // namespace

/// Of this node's clock, since the epoch.
std::int64_t App::clock_milliseconds() {
  const auto now = control::WallClock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

tl::expected<void, std::string> App::open_pair(KernelCallbacks& callbacks) {
  pair_file_ = std::make_unique<pair::PairFile>(wanted_.file->node.state_dir);
  auto state = pair_file_->load();
  if (!state) return tl::make_unexpected(state.error());
  pair_state_ = *state;
  pair_state_.peer_synced = false;
  pair_state_.promoted = pair_state_.promoted && wanted_.file->ha->election == config::Election::kExternal;
  if (!pair_file_->save(pair_state_)) save_pair_state();  // told, and tried again
  pair::Pair::Callbacks told;
  told.on_role = [this](Role role, Cause cause) { asio::post(io_, [this, role, cause] { role_changed(role, cause); }); };
  told.on_event = [this](std::string name, std::string detail) {
    asio::post(io_, [this, name = std::move(name), detail = std::move(detail)]() mutable {
      events_.add(std::move(name), std::move(detail));
    });
  };
  told.on_protected = [this](bool is_protected) { asio::post(io_, [this, is_protected] { note_peer_synced(is_protected); }); };
  told.on_shared = [this](const sync::SharedState& piece, bool from_active) {
    asio::post(io_, [this, piece, from_active] {
      if (auto document = sharing_->take(piece, from_active))
        asio::co_spawn(io_, follow_peer(std::move(*document)), asio::detached);
    });
  };
  told.on_stopped = [this] { asio::post(io_, [this] { left_pair_ = true; }); };
  told.on_kept = [this] { asio::post(io_, [this] { role_kept(); }); };
  auto pair = pair::Pair::open(*wanted_.file, {promoted_ago(), pair_state_.resting}, std::move(told));
  if (!pair) return tl::make_unexpected(pair.error());
  pair_ = std::move(*pair);
  sharing_.emplace([this](sync::SharedState piece) { pair_->publish(piece.topic, std::move(piece.bytes)); },
                   [this](std::string problem) { events_.add("not-shared", std::move(problem)); });
  callbacks.replication = pair_->replicator_callbacks();
  callbacks.replication->on_unknown_backend = [this](const flows::BackendNumbers::Place& place) {
    asio::post(io_, [this, place] {
      if (learning_.insert(place).second) asio::co_spawn(io_, learn_backend(place), asio::detached);
    });
  };
  return {};
}

tl::expected<void, std::string> App::begin_pair() {
  pair_->set_priority(wanted_.file->ha->priority);
  share_overlay(service::to_text(wanted_.overlay));
  pair_->set_configuration(pair::config_digests(joining_.file()));
  return pair_->begin();
}

/// Connections that stand are left alone.
void App::reload_pair(const config::Config& file, peer::Keys keys) {
  pair_->set_configuration(pair::config_digests(file));
  pair_->set_keys(std::move(keys));
}

void App::role_changed(Role role, Cause cause) {
  role_ = role;
  role_since_ = control::WallClock::now();
  ready_ = role == Role::kActive;
  events_.add("role-changed", fmt::format("{} ({})", to_string(role), to_string(cause)));
  // A role that was handed over is the other node's by an operator's word too; one that a stop took comes back with the start.
  if (cause != Cause::kStopped) keep_promotion(is_active());
  if (is_active()) keep_rest(false);
  watch_all();
  if (is_active()) {
    health_->take_over();
    share_all();
  }
  run_hook();
  asio::co_spawn(io_, follow_role(), asio::detached);
}

/// While both were active the other one's hook, or its switches, may have led the addresses there.
void App::role_kept() {
  if (!is_active()) return;
  events_.add("role-kept", "the other active node has given the role up; this one keeps it");
  run_hook();
}

void App::run_hook() {
  const auto& program = is_active() ? wanted_.file->ha->hook_active : wanted_.file->ha->hook_standby;
  if (program.empty()) return hooks_.leave();
  const auto moving = moving_addresses();
  const auto texts = [](const auto& items, const auto& address_of) {
    std::vector<std::string> all;
    all.reserve(items.size());
    for (const auto& item : items) all.push_back(address_of(item).to_string());
    return fmt::format("{}", fmt::join(all, " "));
  };
  hooks_.run({program,
              std::string(to_string(role_)),
              {"WSL4_NODE=" + wanted_.file->node.name,
               "WSL4_VIPS=" + texts(moving.vips, [](const netlink::IpAddress& vip) { return vip; }),
               "WSL4_ADDRESSES=" + texts(moving.wanted, [](const addresses::WantedAddress& wanted) { return wanted.address; })}});
}

/// Whose verdicts and evictions count follows the role.
asio::awaitable<void> App::follow_role() {
  const auto held = co_await changing_.acquire();
  const auto applied = co_await apply_again();
  if (!applied) log::error("apply-failed", "error=\"{}\"", applied.error().title);
}

/// What `wsl4d --release` has to know after a crash.
void App::note_peer_synced(bool synced) {
  pair_state_.peer_synced = synced;
  save_pair_state();
}

/// election = "external": who has the role by an operator's word, for the next start.
void App::keep_promotion(bool promoted, bool said_again) {
  if (wanted_.file->ha->election != config::Election::kExternal || (pair_state_.promoted == promoted && !said_again)) return;
  pair_state_.promoted = promoted;
  pair_state_.promoted_at = promoted ? clock_milliseconds() : 0;
  save_pair_state();
}

void App::keep_rest(bool resting) {
  if (std::exchange(pair_state_.resting, resting) != resting) save_pair_state();
}

std::optional<std::chrono::milliseconds> App::promoted_ago() const {
  if (!pair_state_.promoted) return std::nullopt;
  const std::chrono::milliseconds ago(clock_milliseconds() - pair_state_.promoted_at);
  // A clock that was set back says nothing of it.
  return ago < std::chrono::milliseconds::zero() ? election::Word::kOldest : std::min(ago, election::Word::kOldest);
}

void App::save_pair_state() { files_.keep(pair_file_->path(), pair::PairFile::content(pair_state_)); }

/// A backend that has left this node's file, or has not come yet, while the peer has flows to it: it is known, and drains.
asio::awaitable<void> App::learn_backend(flows::BackendNumbers::Place place) {
  const auto held = co_await changing_.acquire();
  learning_.erase(place);
  const auto* service = service::find_listening(*wanted_.file, place.protocol, place.vip);
  if (service == nullptr) {
    if (const auto learned = learn_gone(place); !learned) log::error("backend-not-learned", "error=\"{}\"", learned.error());
    co_return;
  }
  if (const auto learned = assembler_.learn(service->name, place.backend); !learned) {
    log::error("backend-not-learned", "error=\"{}\"", learned.error());
    co_return;
  }
  touched_.insert(service->name);
  const auto applied = co_await apply_again();
  if (!applied) log::error("apply-failed", "error=\"{}\"", applied.error().title);
}

/// The same of a service, or of one of its listen addresses. Established flows need no rule: a number is enough.
tl::expected<void, std::string> App::learn_gone(const flows::BackendNumbers::Place& place) {
  const auto learned = assembler_.learn(service::gone_service(place.protocol), place.backend);
  if (!learned) return tl::make_unexpected(learned.error());
  const bool is_first = std::ranges::none_of(
      gone_, [&place](const auto& item) { return item.first.protocol == place.protocol && item.first.vip == place.vip; });
  gone_.insert_or_assign(place, *learned);
  tell_gone();
  if (is_first)
    events_.add("copies-without-service", fmt::format("the peer has connections to {} {}, where no service of this node listens",
                                                      netlink::to_string(place.protocol), place.vip.to_string()));
  return {};
}

/// Those whose number is known still.
void App::tell_gone() {
  if (!pair_) return;
  std::erase_if(gone_, [this](const auto& item) {
    return !assembler_.resolver().is_draining(service::gone_service(item.first.protocol), item.first.backend);
  });
  asio::post(kernel_->io(), [this, gone = gone_]() mutable { kernel_->set_gone(std::move(gone)); });
}

// ---- what operators ask ----------------------------------------------------------------------------------------

asio::awaitable<void> App::add_pair(control::Status& status) {
  auto pair = co_await pair_->status();
  status.warnings.insert(status.warnings.end(), pair.warnings.begin(), pair.warnings.end());
  const bool connected = pair.sync.state != sync::State::kDisconnected;
  if (!connected)
    status.warnings.push_back(fmt::format(
        "the peer {} is not connected{}: {}", pair.peer_address.to_string(),
        pair.peer_error.empty() ? "" : fmt::format(" ({})", pair.peer_error),
        is_active() ? "nobody has a copy of this node's connections" : "what this node has of its connections grows old"));
  const bool served = is_active() || (connected && pair.sync.peer.role == sync::Role::kActive);
  if (!served && wanted_.file->ha->election == config::Election::kExternal)
    status.warnings.push_back(fmt::format("no active node is heard of: wsl4ctl promote makes this one active{}",
                                          connected ? "" : "; first make sure that the other one is not"));
  if (connected && pair.sync.peer.node == wanted_.file->node.name)
    status.warnings.push_back(
        fmt::format("both nodes are named {0}, so changes made while they were apart cannot be told apart: give "
                    "one another node.name, and restart it",
                    pair.sync.peer.node));
  if (hooks_.failure()) status.warnings.push_back("the hook " + *hooks_.failure());
  if (is_active()) std::ranges::move(sharing_->problems(), std::back_inserter(status.warnings));
  if (!pair.differing_keys.empty())
    status.warnings.push_back(fmt::format("not the same on both nodes: {}", fmt::join(pair.differing_keys, ", ")));
  status.ha = to_status(std::move(pair));
}

asio::awaitable<bool> App::comes_true(std::function<bool()> condition, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  asio::steady_timer pause(io_);
  while (!condition() && std::chrono::steady_clock::now() < deadline) {
    pause.expires_after(kLookPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
  co_return condition();
}

asio::awaitable<bool> App::comes_to(Role role) {
  return comes_true([this, role] { return role_ == role; }, kRoleLimit);
}

/// It has been granted the role, and may be gone before it has taken it; then this node takes it again.
asio::awaitable<bool> App::peer_takes_role() {
  const auto deadline = std::chrono::steady_clock::now() + kRoleLimit;
  asio::steady_timer pause(io_);
  while (role_ == Role::kStandby && std::chrono::steady_clock::now() < deadline) {
    const bool taken = co_await pair_->peer_is_active();
    if (taken) co_return true;
    pause.expires_after(kLookPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
  co_return false;
}

asio::awaitable<Outcome<std::string>> App::failover(bool force) {
  if (!pair_) co_return refused(409, "single node: there is no peer to fail over to");
  const auto begun = co_await pair_->failover(force);
  if (!begun) co_return refused(409, begun.error());
  if (!co_await comes_to(Role::kStandby)) co_return refused(409, "the peer did not take the active role; this node keeps it");
  keep_rest(true);
  if (!force && !co_await peer_takes_role()) {
    co_return refused(409, is_active() ? "the peer was gone before it took the active role; this node has taken it again"
                                       : "nothing says that the peer has taken the active role: see status of both nodes");
  }
  const auto pair = co_await pair_->status();
  const auto& peer = pair.sync.peer.node;  // of one that is gone too
  if (pair.sync.state != sync::State::kDisconnected) co_return fmt::format("{} is active", peer);
  co_return fmt::format("this node has given the active role up; {} is not connected",
                        peer.empty() ? pair.peer_address.to_string() : peer);
}

asio::awaitable<Outcome<std::string>> App::set_role(bool active) {
  if (!pair_) co_return refused(409, "single node: there is no peer to change roles with");
  const auto begun = co_await pair_->set_role(active);
  if (!begun) co_return refused(409, begun.error());
  keep_promotion(active, true);
  const auto wanted = active ? Role::kActive : Role::kStandby;
  if (!co_await comes_to(wanted)) {
    // Else it would come true some day, when nobody reckons with it.
    if (active) co_await pair_->forget_promotion();
    keep_promotion(is_active());
    if (role_ != wanted) co_return refused(409, fmt::format("this node is {} still: see its events", to_string(role_)));
  }
  co_return fmt::format("{} is {}", wanted_.file->node.name, to_string(wanted));
}

asio::awaitable<void> App::leave_pair() {
  pair_->stop();
  auto left = comes_true([this] { return left_pair_; }, kLeaveLimit);
  co_await std::move(left);
  note_peer_synced(false);  // withdrawn already, or nobody is there
}

// ---- what the nodes share: the active's counts ----------------------------------------------------------------------

void App::share(pair::Document kind, std::string_view text) {
  if (pair_ && is_active()) sharing_->publish(kind, text);
}

/// Either node's: a standby may have changes that the active one has missed.
void App::share_overlay(const std::string& text) {
  if (pair_) sharing_->publish(pair::Document::kOverlay, text);
}

void App::share_all() {
  share_overlay(service::to_text(wanted_.overlay));
  share(pair::Document::kJoined, joining_.text());
  share(pair::Document::kHealth, health::to_text(health_->findings()));
}

std::optional<Refusal> App::refusal_of_follower() const {
  if (is_active()) return std::nullopt;
  return Refusal{
      409,
      fmt::format("this node is {}: changes are for the active one, {}", to_string(role_), wanted_.file->ha->peer.to_string()),
      {}};
}

asio::awaitable<void> App::follow_peer(pair::WholeDocument document) {
  const auto held = co_await changing_.acquire();
  unfollowed_.erase(document.kind);
  auto pending = follow(document);
  const auto followed = co_await std::move(pending);
  if (followed) co_return;
  events_.add("peer-not-followed", followed.error());
  unfollowed_.emplace(document.kind, std::move(document));
}

/// What the kernel refused, or the numbering had no room for, may come true later; the peer sends it once.
asio::awaitable<void> App::follow_again() {
  for (auto& [kind, document] : std::exchange(unfollowed_, {})) {
    auto pending = follow(document);
    if (const auto followed = co_await std::move(pending); !followed) unfollowed_.emplace(kind, std::move(document));
  }
}

asio::awaitable<tl::expected<void, std::string>> App::follow(const pair::WholeDocument& document) {
  const auto& [kind, text, from_active] = document;
  if (kind == pair::Document::kOverlay) co_return co_await follow_overlay(text, from_active);
  if (is_active() || !from_active) co_return tl::expected<void, std::string>{};
  if (kind == pair::Document::kJoined) co_return co_await joining_.follow(text);
  co_return co_await follow_verdicts(text);
}

/// The copy that has missed nothing counts, whoever is active: a node may have become so without the last changes. What was changed
/// apart cannot be brought together; there the active's counts.
asio::awaitable<tl::expected<void, std::string>> App::follow_overlay(std::string text, bool from_active) {
  using Order = service::VersionVector::Order;
  const auto theirs = service::parse_overlay(text, "the peer's changes at run time");
  if (!theirs) co_return tl::make_unexpected(theirs.error());
  const auto before = wanted_.overlay;
  const auto order = theirs->versions().compare(before.versions());
  if (order == Order::kConcurrent && is_active()) changed_apart_ = service::differing(theirs->changes(), before.changes());
  if (order == Order::kOlder || (order != Order::kNewer && (is_active() || !from_active)))
    co_return tl::expected<void, std::string>{};
  auto next = wanted_.overlay;
  next.follow(*theirs);
  const auto others = service::differing(before.changes(), next.changes());
  if (others.empty() && next.versions() == before.versions()) co_return tl::expected<void, std::string>{};
  Names touched;
  for (const auto& [service, backends] : before.changes()) touched.insert(service);
  for (const auto& [service, backends] : next.changes()) touched.insert(service);
  auto pending = apply_new({wanted_.file, std::move(next)}, std::move(touched));
  const auto changed = co_await std::move(pending);
  if (!changed) co_return tl::make_unexpected(changed.error().title);
  keep_overlay();
  const auto apart = std::exchange(changed_apart_, {});
  if (order == Order::kConcurrent) {
    tell_dropped("the active's changes count, those of this node are gone; what is still wanted has to be made again on the active",
                 others);
  } else if (!others.empty()) {
    events_.add("changes-followed", "what was changed at run time on the other node is in effect here: " + util::listed(others));
  } else if (is_active()) {  // the other node has given way
    tell_dropped("this node's changes count, those of the other node are gone; what is still wanted has to be made again here",
                 apart);
  }
  co_return tl::expected<void, std::string>{};
}

void App::tell_dropped(std::string_view what, const std::vector<std::string>& backends) {
  if (backends.empty()) return;
  events_.add("changes-dropped",
              fmt::format("both nodes were changed at run time while apart: {}: {}", what, util::listed(backends)));
}

asio::awaitable<tl::expected<void, std::string>> App::follow_verdicts(std::string text) {
  auto verdicts = health::parse_verdicts(text);
  if (!verdicts) co_return tl::make_unexpected("the peer's verdicts: " + verdicts.error());
  verdicts_age_ = 0;
  touched_.merge(health_->follow(std::move(*verdicts)));
  const auto applied = co_await apply_again();
  if (!applied) co_return tl::make_unexpected(applied.error().title);
  co_return tl::expected<void, std::string>{};
}

/// What the active found counts while it is there, and a moment longer, for the node that takes its place. Then own checks know
/// more.
asio::awaitable<void> App::age_verdicts() {
  if (!health_->follows()) co_return;
  const bool serves = co_await pair_->peer_is_active();
  verdicts_age_ = serves ? 0 : verdicts_age_ + 1;
  if (verdicts_age_ <= kVerdictsLast || is_active()) co_return;
  touched_.merge(health_->follow(std::nullopt));
  const auto applied = co_await apply_again();
  if (!applied) log::error("apply-failed", "error=\"{}\"", applied.error().title);
}

}  // namespace wsl4::runtime
