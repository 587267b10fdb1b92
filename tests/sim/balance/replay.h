// One policy on one trace, ms by ms.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/balance/policy.h"
#include "tests/sim/balance/trace.h"

namespace wsl4::sim {

/// How many flows each backend should have: its weight's part of all flows of those with a weight.
[[nodiscard]] std::vector<double> fair(const Backends& backends);

class Replay {
 public:
  Replay(const Trace& trace, Policy& policy);

  /// One ms: changes, ends, then beginnings. False when the trace has ended.
  bool step();

  [[nodiscard]] int ms() const { return ms_; }
  [[nodiscard]] const Backends& backends() const { return backends_; }
  /// Flows that each backend got so far, those at the start not counted.
  [[nodiscard]] const std::vector<std::int64_t>& got() const { return got_; }
  [[nodiscard]] std::int64_t refused() const { return refused_; }

 private:
  void place(std::uint32_t backend);
  void end(std::uint32_t flow);
  bool apply_changes();
  void apply(const Change& change);

  const Trace& trace_;
  Policy& policy_;
  Backends backends_;
  std::vector<std::uint32_t> flows_;  // the backend of each; kNoBackend once it has ended
  std::vector<std::int64_t> got_;
  std::int64_t refused_ = 0;
  std::size_t next_change_ = 0;
  int ms_ = -1;
};

}  // namespace wsl4::sim
