// A role machine with what it does written down in words: "role active silence", "step drain", "advertise", "resign", "tell",
// "stays", "follow", "hand-over-failed", "stopped". Times are milliseconds since its start; priority 100 at 100 ms, so that
// Active_Down_Interval is 360.9 ms.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "daemon/election/role.h"
#include "tests/unit/election/ip.h"

namespace wsl4::election {

using Words = std::vector<std::string>;

inline std::string word_of(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kStep:
      return "step " + std::string(to_string(action.step));
    case Action::Kind::kRole:
      return "role " + std::string(to_string(action.role)) + " " + std::string(to_string(action.cause));
    case Action::Kind::kAdvertise:
      return "advertise";
    case Action::Kind::kResign:
      return "resign";
    case Action::Kind::kTell:
      return "tell";
    case Action::Kind::kStays:
      return "stays";
    case Action::Kind::kFollow:
      return "follow";
    case Action::Kind::kHandOverFailed:
      return "hand-over-failed";
    case Action::Kind::kStopped:
      return "stopped";
  }
  return {};
}

inline RoleMachine::Settings settings(bool preempt = false, bool external = false) {
  RoleMachine::Settings settings;
  settings.external = external;
  settings.vrrp = {100, std::chrono::milliseconds(100), preempt, ip("198.18.0.2")};
  settings.track = {"front", "back", "sync"};
  settings.sync_link = "sync";
  return settings;
}

class RoleBed {
 public:
  explicit RoleBed(const RoleMachine::Settings& of = settings()) : machine(of, kStart) {}

  static constexpr TimePoint kStart = TimePoint{} + std::chrono::hours(1);
  [[nodiscard]] TimePoint now() const { return kStart + std::chrono::milliseconds(ms); }

  /// Lets time pass, with a heartbeat of the peer every 100 ms if there is one.
  void pass(int span, bool heartbeats = true) {
    for (const int end = ms + span; ms < end;) {
      ++ms;
      if (heartbeats && connected && ms % 100 == 0) machine.peer(peer, now());
      machine.tick(now());
      note();
    }
  }
  void connect(Role role, bool synced = false) {
    connected = true;
    peer.role = role;
    machine.session({true, synced, synced}, now());
    hear();
  }
  void disconnect() {
    connected = false;
    machine.session({}, now());
    note();
  }
  void sync() {
    machine.session({true, true, true}, now());
    note();
  }
  void hear() {
    machine.peer(peer, now());
    note();
  }
  void hear_advert(int priority, std::string_view source = "198.18.0.1") {
    machine.advert({51, static_cast<std::uint8_t>(priority), std::chrono::milliseconds(100), {ip("198.18.0.100")}}, ip(source),
                   now());
    note();
  }
  void finish(Step step) {
    machine.finished(step, now());
    note();
  }
  /// What has been done since the last call, without what is done all the time.
  Words done() {
    Words out;
    for (auto& word : std::exchange(words, {})) {
      if (word != "tell" && word != "advertise" && word != "step announce") out.push_back(std::move(word));
    }
    return out;
  }
  bool did(const std::string& word) const { return std::ranges::count(words, word) > 0; }
  void note() {
    for (const auto& action : machine.take_actions()) {
      words.push_back(word_of(action));
      // What waits for nobody is done at once.
      if (action.kind != Action::Kind::kStep || !prompt) continue;
      machine.finished(action.step, now());
      note();
    }
  }
  /// Alone, active, nothing under way.
  void become_active() {
    pass(1100);
    done();
  }
  /// Active with a standby.
  void pair_up(bool synced = true) {
    become_active();
    connect(Role::kStandby, synced);
    done();
  }
  /// Standby of an active that is in sync.
  void stand_by(bool synced = true) {
    connect(Role::kActive, synced);
    pass(100);
    done();
  }

  RoleMachine machine;
  PeerState peer{.ballot = {0, 50, ip("198.18.0.1")}};
  bool connected = false, prompt = true;
  int ms = 0;
  Words words;
};

}  // namespace wsl4::election
