#include "tests/sim/balance/trace.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace wsl4::sim {
namespace {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  int between(int low, int high) { return std::uniform_int_distribution(low, high)(engine_); }
  /// Every order of magnitude is equally likely.
  double magnitude(double low, double high) {
    return std::exp(std::uniform_real_distribution(std::log(low), std::log(high))(engine_));
  }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }

 private:
  std::mt19937_64 engine_;
};

int random_weight(Random& random, bool equal) { return equal ? 100 : static_cast<int>(random.magnitude(1, 1000.99)); }

/// Those that are there share `flows` fairly, as after a long time.
Backends random_backends(Random& random, bool equal, double flows, bool limits) {
  Backends backends(static_cast<std::size_t>(random.between(2, 10)));
  for (auto& backend : backends) backend.weight = random.chance(0.2) ? 0 : random_weight(random, equal);
  double sum = 0;
  for (const auto& backend : backends) sum += backend.weight;
  for (auto& backend : backends) {
    if (sum > 0) backend.connections = static_cast<std::int64_t>(flows * backend.weight / sum);
    if (limits && random.chance(0.3))
      backend.max_connections = backend.connections + static_cast<std::int64_t>(random.magnitude(10, flows + 11));
  }
  return backends;
}

std::vector<Pace> random_pace(Random& random, int length_ms, double rate) {
  std::vector<Pace> pace{{0, rate}};
  for (int bursts = random.between(0, 2), at = 0; bursts > 0; --bursts) {
    at += random.between(100, length_ms / 2);
    pace.push_back({at, random.magnitude(rate, 10000)});
    at += random.between(20, 150);
    pace.push_back({at, rate});
  }
  return pace;
}

}  // namespace

Trace make_trace(const Shape& shape, std::uint64_t seed) {
  Trace trace{
      shape.backends, {}, std::vector<std::vector<std::uint32_t>>(static_cast<std::size_t>(shape.length_ms)), shape.changes};
  std::ranges::stable_sort(trace.changes, {}, &Change::at_ms);
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> lifetime_ms(1 / (1000 * shape.lifetime_s));
  std::uint32_t flow = 0;
  const auto add_flow = [&](int begin_ms) {
    const double end_ms = begin_ms + 1 + lifetime_ms(random);
    if (end_ms < shape.length_ms) trace.end[static_cast<std::size_t>(end_ms)].push_back(flow);
    ++flow;
  };
  for (const auto& backend : shape.backends)
    for (auto i = backend.connections; i > 0; --i) add_flow(0);
  auto pace = shape.pace.begin();
  for (int ms = 0; ms < shape.length_ms; ++ms) {
    while (std::next(pace) != shape.pace.end() && std::next(pace)->from_ms <= ms) ++pace;
    trace.begin.push_back(std::poisson_distribution<std::uint32_t>(pace->rate / 1000)(random));
    for (auto i = trace.begin.back(); i > 0; --i) add_flow(ms);
  }
  return trace;
}

Shape random_shape(std::uint64_t seed, Variety variety) {
  Random random(seed);
  Shape shape;
  shape.length_ms = random.between(2000, 4000);
  const double rate = random.magnitude(5, 2000);
  const bool equal = random.chance(0.5);
  shape.lifetime_s = random.magnitude(0.3, 30);
  shape.backends = random_backends(random, equal, std::min(20000.0, rate * shape.lifetime_s), variety.limits);
  shape.pace = random_pace(random, shape.length_ms, rate);
  for (int changes = random.between(0, 6); changes > 0; --changes) {
    const bool dies = variety.deaths && random.chance(0.2);
    shape.changes.push_back({random.between(0, shape.length_ms),
                             static_cast<std::uint32_t>(random.between(0, static_cast<int>(shape.backends.size()) - 1)),
                             dies || random.chance(0.3) ? 0 : random_weight(random, equal), dies});
  }
  return shape;
}

}  // namespace wsl4::sim
