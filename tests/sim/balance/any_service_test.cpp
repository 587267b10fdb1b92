// Whatever happens to a service, no deal breaks a bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "tests/sim/balance/replay.h"
#include "tests/support/seeds.h"

namespace wsl4::sim {
namespace {

using Counts = std::vector<std::int64_t>;

/// Looks at one replay after each ms. (gtest's macros are slow: only what fails meets them.)
class Watch {
 public:
  Watch(const Replay& replay, const Dealt& dealt) : replay_(replay), dealt_(dealt), backends_(replay.got().size()) {
    got_until_.fill(replay.got());
  }

  /// False if a bound was broken.
  bool look() {
    if (dealt_.deals() > deals_) look_at_deal();
    for (std::uint32_t i = 0; i < backends_.size(); ++i) look_at_flows(i);
    got_until(replay_.ms() + 1) = replay_.got();
    return !broken_;
  }

  [[nodiscard]] std::int64_t most_over() const { return most_over_; }

 private:
  struct Watched {
    std::int64_t heard_of = 0;  // how many of its flows were heard of for certain when it last got slots
    int out_ms = 0;             // so long without weight
  };

  void check(bool holds, const char* what, std::uint32_t backend) {
    if (holds) return;
    broken_ = true;
    ADD_FAILURE() << what << ": backend " << backend << " after " << replay_.ms() << " ms";
  }

  /// What each backend got until the begin of a ms. Remembered as long as needed.
  Counts& got_until(int ms) { return got_until_[static_cast<std::size_t>(std::max(0, ms)) % got_until_.size()]; }

  [[nodiscard]] double slots_of(std::uint32_t backend) const {
    return static_cast<double>(std::ranges::count(dealt_.slots(), backend));
  }

  void look_at_deal() {
    deals_ = dealt_.deals();
    const auto arrivals = dealt_.arrivals(), slots = static_cast<double>(dealt_.slots().size());
    double room = 0, limits = 0;
    for (const auto& load : dealt_.loads()) {
      const double free = load.weight == 0 ? 0.0 : load.room ? static_cast<double>(*load.room) : arrivals;
      room += free;
      limits += std::min(free, load.share_cap * arrivals);
    }
    for (std::uint32_t i = 0; i < backends_.size(); ++i) {
      const auto& load = dealt_.loads()[i];
      const auto dealt = slots_of(i);
      check(dealt == 0 || (load.weight > 0 && load.room != 0U), "slots without weight or room", i);
      check(dealt <= load.share_cap * slots + 1 || limits < arrivals, "slots beyond its slow start", i);
      const auto heard_until = replay_.ms() + 1 - std::max(1, dealt_.options().latest_ms);
      if (dealt > 0) backends_[i].heard_of = got_until(heard_until)[i];
    }
    const auto refused = slots_of(balance::kNoBackend);
    check(refused == 0 || refused <= (1 - room / arrivals) * slots + 1, "refused though there is room", balance::kNoBackend);
  }

  void look_at_flows(std::uint32_t i) {
    auto& watched = backends_[i];
    const auto& backend = replay_.backends()[i];
    const auto got = replay_.got()[i];
    if (backend.max_connections) {
      const auto over = backend.connections - *backend.max_connections;
      most_over_ = std::max(most_over_, over);
      check(over <= got - watched.heard_of, "over its limit by more than a deal's arrivals", i);
    }
    watched.out_ms = backend.weight == 0 ? watched.out_ms + 1 : 0;
    check(got == got_until(replay_.ms())[i] || watched.out_ms <= balance::DealClock::kShortestInterval.count(), "without weight",
          i);
  }

  const Replay& replay_;
  const Dealt& dealt_;
  std::array<Counts, Dealt::kLatest + 2> got_until_;
  std::vector<Watched> backends_;
  std::int64_t most_over_ = 0;
  int deals_ = 0;
  bool broken_ = false;
};

constexpr auto kServices = test::seeds<std::uint64_t>(3000);

TEST(AnyService, NoDealBreaksABound) {
  std::int64_t most_over = 0;
  for (std::uint64_t seed = 1; seed <= kServices && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto shape = random_shape(seed, {});
    const auto trace = make_trace(shape, seed);
    Dealt dealt(shape.backends.size(), {static_cast<int>(seed % 3) * 25, static_cast<int>(seed % 4) * 500, seed});
    Replay replay(trace, dealt);
    Watch watch(replay, dealt);
    while (replay.step() && watch.look()) {}
    most_over = std::max(most_over, watch.most_over());
  }
  std::printf("%llu services; at most %lld flows over a limit\n", static_cast<unsigned long long>(kServices),
              static_cast<long long>(most_over));
}

}  // namespace
}  // namespace wsl4::sim
