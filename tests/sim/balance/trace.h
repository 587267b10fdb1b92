// What happens to a simulated service, decided before anybody balances it, so that several policies can be run on the same trace:
// when flows begin, how long each lives, which backends join, leave, die or change their weight. Time goes in steps of 1 ms.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace wsl4::sim {

struct Backend {
  int weight = 100;  // 0: not there, or draining
  std::int64_t connections = 0;
  std::optional<std::int64_t> max_connections = {};
  std::optional<int> joined_ms = {};  // when it came; none: it has been there from the start
};
using Backends = std::vector<Backend>;

struct Change {
  int at_ms = 0;
  std::uint32_t backend = 0;
  int weight = 0;     // from now on
  bool dies = false;  // and its flows end now
};

/// New flows per second from `from_ms` on.
struct Pace {
  int from_ms = 0;
  double rate = 0;
};

struct Shape {
  int length_ms = 0;
  Backends backends;       // with the flows that are there at the start
  std::vector<Pace> pace;  // in order of time
  double lifetime_s = 10;  // mean, exponential
  std::vector<Change> changes = {};
};

struct Trace {
  Backends backends;
  std::vector<std::uint32_t> begin;             // how many flows begin in each ms
  std::vector<std::vector<std::uint32_t>> end;  // which ones end in each ms: those of the start come first, backend by backend
  std::vector<Change> changes;                  // in order of time
};

/// Arrivals are a Poisson process.
[[nodiscard]] Trace make_trace(const Shape& shape, std::uint64_t seed);

struct Variety {
  bool limits = true, deaths = true;
};
/// Any service: 2 to 10 backends, weights equal or wild, up to 20,000 flows at the start, 5 to 2,000 new ones per second with
/// bursts of up to 10,000, lifetimes of 0.3 to 30 s, up to 6 changes.
[[nodiscard]] Shape random_shape(std::uint64_t seed, Variety variety);

}  // namespace wsl4::sim
