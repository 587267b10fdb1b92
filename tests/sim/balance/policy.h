// Who gets the next flow: the daemon's way (slots dealt from counts that arrive late), and what it is measured against.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "daemon/balance/deal_clock.h"
#include "daemon/balance/least_connections.h"
#include "tests/sim/balance/trace.h"

namespace wsl4::sim {

class Policy {
 public:
  Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;
  virtual ~Policy() = default;

  /// The next flow's backend, balance::kNoBackend to refuse it.
  virtual std::uint32_t pick(const Backends& backends) = 0;
  /// Each ms, before its flows begin; `changed`: not only connections differ.
  virtual void tick(int /*ms*/, const Backends& /*backends*/, bool /*changed*/) {}
  /// A flow of the backend began (1) or ended (-1).
  virtual void tell(std::uint32_t /*backend*/, int /*change*/) {}
};

/// HAProxy's leastconn with perfect knowledge: always the lowest (connections + 1) / weight, in turn among equals.
class LeastConn : public Policy {
 public:
  std::uint32_t pick(const Backends& backends) override;

 private:
  std::size_t last_ = 0;
};

/// HAProxy's random(DRAWS): of so many drawn in proportion to the weights the emptiest; its default is two, and one is mere chance.
class Chance : public Policy {
 public:
  Chance(std::uint64_t seed, int draws) : random_(seed), draws_(draws) {}
  std::uint32_t pick(const Backends& backends) override;

 private:
  std::mt19937_64 random_;
  int draws_;
};

/// As wsl4d does it: counts are heard of late, shares dealt when the deal clock says so, slots taken in turn by a counter that goes
/// on over all deals (the kernel's numgen).
class Dealt : public Policy {
 public:
  static constexpr int kLatest = 50;  // ms
  struct Options {
    int latest_ms = 0;      // each count is heard of so many ms late, at most
    int slow_start_ms = 0;  // 0: none
    std::uint64_t seed = 1;
  };

  Dealt(std::size_t backends, Options options);

  std::uint32_t pick(const Backends& backends) override;
  void tick(int ms, const Backends& backends, bool changed) override;
  void tell(std::uint32_t backend, int change) override;
  /// See DealClock.
  void expect(std::uint64_t flows) { clock_.expect(flows, now()); }
  /// The daemon starts again: it reads the counts anew, the slots are as they were.
  void restart();

  /// The last deal: how many there were with it, what it was made from, for how many arrivals, and what came out.
  [[nodiscard]] int deals() const { return deals_; }
  [[nodiscard]] const std::vector<balance::Load>& loads() const { return loads_; }
  [[nodiscard]] double arrivals() const { return arrivals_; }
  [[nodiscard]] const balance::Slots& slots() const { return slots_; }
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  /// What will be heard of in one ms.
  struct News {
    std::vector<int> changes;
    std::uint64_t arrivals = 0;
  };

  [[nodiscard]] balance::DealClock::TimePoint now() const {
    return balance::DealClock::TimePoint{} + std::chrono::milliseconds(ms_);
  }
  void hear();
  void look(const Backends& backends);
  [[nodiscard]] std::optional<std::uint64_t> free_in_the_fullest() const;
  void deal();

  Options options_;
  std::minstd_rand random_;
  balance::DealClock clock_;
  int ms_ = 0, deals_ = 0;
  std::array<News, kLatest + 1> news_;
  std::vector<std::int64_t> known_;
  std::vector<balance::Load> loads_;
  std::vector<double> shares_;
  double arrivals_ = 0;
  balance::Slots slots_;
  std::size_t counter_ = 0;
};

}  // namespace wsl4::sim
