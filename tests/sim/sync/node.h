// A simulated node: a session, a kernel, and what a daemon does between the two.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>

#include "sync/session.h"
#include "tests/sim/sync/kernel.h"

namespace wsl4::pair_sim {

using Random = std::mt19937_64;

/// Below `bound`.
inline std::uint64_t below(Random& random, std::uint64_t bound) { return random() % bound; }
inline bool one_in(Random& random, std::uint64_t count) { return below(random, count) == 0; }

/// How badly a kernel takes what it is told.
struct Injector {
  std::size_t batch = 64;
  int delay_ms = 0;
  std::uint64_t refuses_one_in = 0;  // 0: none
  std::uint64_t unknown_one_in = 0;  // of batches
};

class Node {
 public:
  Node(std::string name, std::uint64_t incarnation) : name_(std::move(name)) { start(incarnation); }

  /// A new daemon finds what the kernel holds.
  void start(std::uint64_t incarnation);
  void reboot() { kernel_.clear(); }

  // What happens in the kernel by itself; the daemon hears of it unless events are being lost.
  void begin_flow(const sync::Flow& flow, sync::Time now);
  void end_flow(const sync::Flow& flow, sync::Time now);
  void lose_events(bool lost) {
    events_lost_ = lost;
    damaged_ = damaged_ || lost;
  }
  /// An entry of a standby that goes, or one that comes, without any reason.
  void damage(const sync::Flow& flow, bool add);

  /// As the daemon compares now and then, if nothing is under way.
  void compare(sync::Time now);
  /// Takes operations and puts into the kernel what is due.
  void inject(const Injector& injector, Random& random, std::int64_t now_ms);

  [[nodiscard]] sync::Session& session() { return *session_; }
  [[nodiscard]] const sync::Session& session() const { return *session_; }
  [[nodiscard]] const Kernel& kernel() const { return kernel_; }
  [[nodiscard]] bool damaged() const { return damaged_; }
  [[nodiscard]] sync::Role role() const { return role_; }
  void set_role(sync::Role role) {
    role_ = role;
    session_->set_role(role);
  }

  std::int64_t clock_ms = 0;  // what its clock is ahead
  bool up = true;

 private:
  struct UnderWay {
    sync::Batch batch;
    std::int64_t due_ms = 0;
  };
  void apply(const UnderWay& under_way, const Injector& injector, Random& random);

  std::string name_;
  std::unique_ptr<sync::Session> session_;
  Kernel kernel_;
  std::deque<UnderWay> under_way_;
  sync::Role role_ = sync::Role::kInit;
  bool damaged_ = false, events_lost_ = false;
};

}  // namespace wsl4::pair_sim
