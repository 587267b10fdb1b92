// Two nodes, the connection between them, and everything that can go wrong, from one seed.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "tests/sim/sync/node.h"

namespace wsl4::pair_sim {

class Pair {
 public:
  Pair(std::uint64_t seed, bool trace);

  /// One step of 5 ms with whatever the seed has in store.
  void step();
  /// Heals everything and lets nothing happen any more until both are synced with nothing pending. False: it never came to that.
  bool settle();
  /// What is wrong now, in words; empty: nothing. Holds after every step.
  [[nodiscard]] const std::string& broken() const { return broken_; }
  /// After `settle`: in what the two differ.
  [[nodiscard]] std::string difference() const;

  struct Figures {
    std::size_t flows = 0, failovers = 0, takeovers = 0, restarts = 0, connections = 0;
  };
  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  struct Chunk {
    std::int64_t due_ms = 0;
    std::vector<std::uint8_t> bytes;
  };
  [[nodiscard]] sync::Time now(int node) const { return std::chrono::milliseconds{now_ms_ + nodes_[at(node)].clock_ms}; }
  static std::size_t at(int node) { return static_cast<std::size_t>(node); }
  [[nodiscard]] bool active(int node) const { return nodes_[at(node)].up && nodes_[at(node)].role() == sync::Role::kActive; }
  [[nodiscard]] sync::Flow any_flow();
  void log(const std::string& what) const;

  void fault();
  void restart(int node, bool reboot);
  void cut();
  void fail_over(int node);
  void churn();
  void elect();
  void step_down();
  void carry();
  void carry_from(int node);
  void deliver(int node);
  void run();
  void check();
  void check_standby(int active);

  Random random_;
  const bool trace_;
  std::int64_t now_ms_ = 1'000'000;
  std::array<Node, 2> nodes_;
  std::array<std::deque<Chunk>, 2> to_;  // bytes on their way to a node
  std::array<std::int64_t, 2> back_at_ms_{};
  bool connected_ = false;
  std::array<bool, 2> noticed_{true, true};  // a node knows that the connection is gone
  bool link_up_ = true, partitioned_ = false, quiet_ = false;
  int keeper_ = 0;  // who stays active if both are
  std::uint64_t incarnations_ = 2;
  int delay_ms_ = 0;
  std::size_t capacity_ = 0;  // bytes that a node can send in a step
  Injector injector_;
  boost::unordered_flat_set<std::size_t> ever_;  // hashes of every state that a flow had in an active's kernel
  std::string broken_;
  Figures figures_;
};

}  // namespace wsl4::pair_sim
