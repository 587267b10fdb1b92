#include "tests/sim/sync/pair.h"

#include <algorithm>
#include <cstdio>

#include "tests/support/sync_flows.h"

namespace wsl4::pair_sim {
namespace {

constexpr int kStepMs = 5;
constexpr std::size_t kMostPending = 2'000;  // there are 480 different flows

std::size_t content(const sync::Flow& flow) {
  const std::array<std::size_t, 4> parts{TupleHash{}(original(flow)), TupleHash{}(reply(flow)), flow.tcp_state,
                                         flow.wscale_original};
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(parts.data()), sizeof(parts)});
}

}  // namespace

Pair::Pair(std::uint64_t seed, bool trace) : random_(seed), trace_(trace), nodes_{Node("lb-a", 1), Node("lb-b", 2)} {
  delay_ms_ = static_cast<int>(below(random_, 3)) * 10;
  capacity_ = std::array<std::size_t, 4>{300, 3'000, 40'000, 1'000'000}[below(random_, 4)];
  injector_ = {1 + below(random_, 64), static_cast<int>(below(random_, 3)) * 10,
               std::array<std::uint64_t, 3>{0, 0, 20}[below(random_, 3)],
               std::array<std::uint64_t, 3>{0, 0, 10}[below(random_, 3)]};
}

void Pair::log(const std::string& what) const {
  if (trace_) std::printf("%8lld ms  %s\n", static_cast<long long>(now_ms_), what.c_str());
}

sync::Flow Pair::any_flow() {
  const auto family = one_in(random_, 4) ? sync::Family::kIpv6 : sync::Family::kIpv4;
  const auto pick = [this](std::uint64_t bound) { return static_cast<std::uint8_t>(below(random_, bound)); };
  sync::Flow flow;
  flow.protocol = one_in(random_, 4) ? sync::Protocol::kUdp : sync::Protocol::kTcp;
  flow.client = test::sync_endpoint(family, 1, pick(6), static_cast<std::uint16_t>(40'000 + below(random_, 10)));
  flow.vip = test::sync_endpoint(family, 0, pick(2), 443);
  flow.backend = test::sync_endpoint(family, 2, pick(3), 8888);
  flow.snat = test::sync_endpoint(family, 3, pick(2), static_cast<std::uint16_t>(1 + below(random_, 100)));
  if (one_in(random_, 5)) flow.snat = {flow.client.address, flow.client.port};
  flow.tcp_state = pick(10);
  flow.wscale_original = pick(15);
  flow.timeout_s = static_cast<std::uint32_t>(below(random_, 400'000));
  return flow;
}

void Pair::step() {
  now_ms_ += kStepMs;
  if (!quiet_) {
    fault();
    churn();
  }
  elect();
  carry();
  run();
  check();
}

void Pair::restart(int node, bool reboot) {
  log(std::string(reboot ? "reboot of " : "restart of ") + (node == 0 ? "a" : "b"));
  auto& one = nodes_[at(node)];
  one.up = false;
  if (reboot) one.reboot();
  back_at_ms_[at(node)] = now_ms_ + static_cast<std::int64_t>(below(random_, 500));
  cut();
  ++figures_.restarts;
}

void Pair::cut() {
  connected_ = false;
  noticed_ = {false, false};
  to_[0].clear();
  to_[1].clear();
}

void Pair::fault() {
  const int node = static_cast<int>(below(random_, 2));
  auto& one = nodes_[at(node)];
  switch (below(random_, 400)) {
    case 0:
      restart(node, false);
      break;
    case 1:
      if (nodes_[at(1 - node)].up && nodes_[at(1 - node)].role() != sync::Role::kInit) restart(node, true);
      break;
    case 2:
      log("cut");
      cut();
      break;
    case 3:
      log(link_up_ ? "link down" : "link up");
      link_up_ = !link_up_;
      if (!link_up_) cut();
      break;
    case 4:
      if (one_in(random_, 3)) {
        log("partition");
        partitioned_ = true;
        link_up_ = false;
        keeper_ = node;
        cut();
      }
      break;
    case 5:
    case 6:
    case 7:
      if (partitioned_) {
        log("healed");
        partitioned_ = false;
        link_up_ = true;
      }
      break;
    case 8:
      one.clock_ms += static_cast<std::int64_t>(below(random_, 20'000)) - 10'000;
      break;
    case 9:
      one.lose_events(true);
      break;
    case 10:
      one.lose_events(false);
      one.compare(now(node));
      break;
    case 11:
      if (!active(node) && !one.kernel().flows().empty()) one.damage(one.kernel().flows().begin()->second, false);
      break;
    case 12:
      if (!active(node)) {
        const auto flow = any_flow();
        ever_.insert(content(flow));
        one.damage(flow, true);
      }
      break;
    case 13:
    case 14:
      one.compare(now(node));
      break;
    case 15:
    case 16:
    case 17:
      fail_over(node);
      break;
    default:
      break;
  }
}

/// Planned: the standby becomes active first, then the old active steps down.
void Pair::fail_over(int node) {
  const auto status = nodes_[at(node)].session().status(now(node));
  if (!active(node) || active(1 - node) || !nodes_[at(1 - node)].up) return;
  if (status.state != sync::State::kSynced || status.pending > 0) return;
  log("failover");
  keeper_ = 1 - node;
  nodes_[at(keeper_)].set_role(sync::Role::kActive);
  ++figures_.failovers;
}

void Pair::churn() {
  if (now_ms_ % 1'000 < 200) return;  // time to breathe
  for (int node = 0; node < 2; ++node) {
    if (!active(node)) continue;
    auto& one = nodes_[at(node)];
    for (auto count = below(random_, 4); count > 0; --count) {
      const auto flow = any_flow();
      const auto* known = one.kernel().find(flow);
      if (known != nullptr && one_in(random_, 2)) {
        one.end_flow(*known, now(node));
      } else if (!one.kernel().has_reply(flow) || (known != nullptr && reply(*known) == reply(flow))) {
        ever_.insert(content(flow));
        one.begin_flow(flow, now(node));
        ++figures_.flows;
      }
    }
  }
}

void Pair::elect() {
  for (int node = 0; node < 2; ++node) {
    auto& one = nodes_[at(node)];
    if (!one.up && (now_ms_ >= back_at_ms_[at(node)] || quiet_)) {
      one.up = true;
      one.start(++incarnations_);
      noticed_[at(node)] = true;
    }
  }
  for (int node = 0; node < 2; ++node) {
    auto& one = nodes_[at(node)];
    if (!one.up || one.role() == sync::Role::kActive) continue;
    const int other = 1 - node;
    if (active(other) && !partitioned_) {
      one.set_role(sync::Role::kStandby);
      continue;
    }
    const bool alone = partitioned_ || !nodes_[at(other)].up;
    const auto mine = one.kernel().flows().size(), theirs = nodes_[at(other)].kernel().flows().size();
    if (alone || mine > theirs || (mine == theirs && node == 0)) {
      log(std::string("takes over: ") + (node == 0 ? "a" : "b"));
      one.set_role(sync::Role::kActive);
      ++figures_.takeovers;
    }
  }
  step_down();
}

/// Of two actives that see each other one goes, once the other has its flows.
void Pair::step_down() {
  if (!active(0) || !active(1) || !connected_ || partitioned_) return;
  auto& loser = nodes_[at(1 - keeper_)];
  const auto status = loser.session().status(now(1 - keeper_));
  if (status.state != sync::State::kSynced || status.pending > 0 || status.peer.role != sync::Role::kActive) return;
  log("steps down");
  loser.set_role(sync::Role::kStandby);
}

void Pair::carry() {
  if (!connected_) {
    for (int node = 0; node < 2; ++node) {
      if (noticed_[at(node)] || !(quiet_ || one_in(random_, 20))) continue;
      nodes_[at(node)].session().disconnected();
      noticed_[at(node)] = true;
    }
    if (!link_up_ || !noticed_[0] || !noticed_[1] || !nodes_[0].up || !nodes_[1].up) return;
    connected_ = true;
    ++figures_.connections;
    for (int node = 0; node < 2; ++node) nodes_[at(node)].session().connected(now(node));
  }
  for (int node = 0; node < 2; ++node) carry_from(node);
}

void Pair::carry_from(int node) {
  const int other = 1 - node;
  std::vector<std::uint8_t> out;
  nodes_[at(node)].session().pull(out, capacity_, now(node));
  if (out.size() > capacity_ + 4 * sync::kMaxPayload) broken_ = "much more pulled than asked for";
  if (!out.empty()) to_[at(other)].push_back({now_ms_ + delay_ms_, std::move(out)});
  deliver(other);
}

/// Any piece of what is due, so that a cut may leave half a frame behind.
void Pair::deliver(int node) {
  auto& chunks = to_[at(node)];
  while (!chunks.empty() && chunks.front().due_ms <= now_ms_) {
    auto& bytes = chunks.front().bytes;
    const auto count = one_in(random_, 2) ? bytes.size() : below(random_, bytes.size());
    nodes_[at(node)].session().receive(std::span<const std::uint8_t>(bytes).first(count), now(node));
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    if (!bytes.empty()) return;
    chunks.pop_front();
  }
}

void Pair::run() {
  for (int node = 0; node < 2; ++node) {
    auto& one = nodes_[at(node)];
    if (!one.up) continue;
    one.inject(quiet_ ? Injector{} : injector_, random_, now_ms_);
    one.session().tick(now(node));
    for (const auto& event : one.session().take_events()) {
      const auto* ended = std::get_if<sync::event::Ended>(&event);
      if (ended == nullptr || !connected_) continue;
      log("ended: " + ended->error.text);
      if (ended->error.reason != sync::Reason::kSilence) broken_ = "a connection ended: " + ended->error.text;
      cut();
    }
  }
}

bool Pair::settle() {
  quiet_ = true;
  link_up_ = true;
  partitioned_ = false;
  capacity_ = 1'000'000;
  for (auto& node : nodes_) node.lose_events(false);
  const auto compare_all = [this] {
    for (int node = 0; node < 2; ++node) nodes_[at(node)].compare(now(node));
  };
  const auto resting = [this](int node) {
    const auto status = nodes_[at(node)].session().status(now(node));
    return status.state == sync::State::kSynced && status.pending == 0 && status.unapplied == 0;
  };
  int rested = 0;
  for (int steps = 0; steps < 4'000 && broken_.empty(); ++steps) {
    step();
    const bool one_active = active(0) != active(1);
    if (!one_active || !resting(0) || !resting(1)) {
      rested = 0;
      continue;
    }
    if (++rested % 20 == 0) compare_all();
    if (rested == 70) return true;
  }
  return false;
}

std::string Pair::difference() const {
  const auto& one = nodes_[0];
  const auto& other = nodes_[1];
  if (one.kernel().flows().size() != other.kernel().flows().size())
    return "kernels with " + std::to_string(one.kernel().flows().size()) + " and " + std::to_string(other.kernel().flows().size()) +
           " flows, sessions with " + std::to_string(one.session().flows().size()) + " and " +
           std::to_string(other.session().flows().size());
  for (const auto& [tuple, flow] : one.kernel().flows()) {
    const auto* entry = other.kernel().find(flow);
    if (entry == nullptr) return "a flow that one kernel has not";
    if (!equal(*entry, flow)) return "a flow that differs";
    const auto told = one.session().find(flow);
    if (!told || !equal(*told, flow)) return "a flow that the session does not know";
  }
  for (std::size_t bucket = 0; bucket < sync::kBuckets; ++bucket) {
    if (one.session().flows().digest(bucket) != other.session().flows().digest(bucket)) return "digests";
  }
  if (one.session().flows().size() != one.kernel().flows().size()) return "a session with other flows than its kernel";
  return {};
}

void Pair::check() {
  for (int node = 0; node < 2; ++node) {
    const auto& one = nodes_[at(node)];
    if (!one.up) continue;
    const auto status = one.session().status(now(node));
    if (status.pending > kMostPending || status.unapplied > kMostPending) broken_ = "more pending than there are flows";
    if (one.session().flows().dictionary().size() > 40) broken_ = "terms that nobody holds";
    if (active(node) && !active(1 - node)) check_standby(node);
  }
}

/// What is acknowledged is in the standby's kernel; what it holds beyond that is on its way out.
void Pair::check_standby(int active) {
  const auto& one = nodes_[at(active)];
  const auto& standby = nodes_[at(1 - active)];
  if (!one_in(random_, 4) || !connected_ || !standby.up || standby.damaged() || one.session().state() != sync::State::kSynced)
    return;
  if (one.session().status(now(active)).peer.role == sync::Role::kActive) return;  // it has not heard yet
  std::size_t known = 0, equals = 0;
  for (const auto& [tuple, flow] : standby.kernel().flows()) {
    if (!ever_.contains(content(flow))) broken_ = "a flow that never was";
    const auto told = one.session().find(flow);
    if (told) ++known;
    if (told && equal(*told, flow)) ++equals;
  }
  const auto other = standby.kernel().flows().size() - equals;
  const auto missing = one.session().flows().own().size() - known;
  if (other + missing > one.session().status(now(active)).pending) broken_ = "acknowledged, but not in the standby's kernel";
}

}  // namespace wsl4::pair_sim
