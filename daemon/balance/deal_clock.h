// When a service's slots are dealt anew, and for how many arrivals. Pure: flows, what is free, and `now` in, decisions out. One
// for each service.
//
// While nothing changes, nothing is dealt. Else the next deal is due
//
//     100 ms after the last one                                        (kInterval)
//      10 ms after it, if more than 2 * A flows arrived since          (kShortestInterval; the deal was made for A)
//      10 ms after it, if a tenth of what is free arrived since        (kTightPart)
//      10 ms after it, if somebody with slots takes no more flows      (urgent)
//
// and is made for the arrivals expected until the one after it:
//
//     A = max(1, min(rate * 100 ms, max(rate * 10 ms, free / 10)))     `free` is optional: none makes it max(1, rate * 100 ms)
//
// The rate is the higher one of two averages with exponential decay, over 100 ms and over 1 s: it rises fast and falls slowly. But
// an arrival after 100 ms without a deal may be the first of a burst. Dealt for alone it would send all others past its backend; so
// that deal is made for kPerhapsMore of them at least, or all that are free, and 100 ms later another one for what has come.
// What reaches one backend alone is what came before the first arrival was told.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace wsl4::balance {

class DealClock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kInterval{100};
  static constexpr std::chrono::milliseconds kShortestInterval{10};
  /// Ports in blocks were refused to nobody at 99 % use when at most a tenth of the free ones was taken between two deals
  /// (simulated).
  static constexpr double kTightPart = 10;
  /// Evens a burst out among backends that are a few flows apart; the next few flows after a single one need not be strictly dealt.
  static constexpr std::uint64_t kPerhapsMore = 32;

  /// New flows, as early as they are known of. They change counts, so a deal is due.
  void arrived(std::uint64_t flows, TimePoint now);
  /// So many flows may arrive within the next second: those of a backend that went down come back; after a start under load nobody
  /// knows the rate. Raises it as if they had arrived already, so that the deal is spread before they do: call it before `deal`.
  void expect(std::uint64_t flows, TimePoint now);
  /// Anything else that the deal depends on: flows that ended, weights, limits, backends. While a slow start runs its cap grows:
  /// say so after each deal.
  void changed() { changed_ = true; }
  /// A backend that has slots went down or is full.
  void urgent() { changed_ = urgent_ = true; }

  /// When the next deal is to be made, as far as is known now; in the past means at once, none that the last one still holds.
  /// `free` is the room of the fullest backend that has slots and some room, or the free ports of such a pool pair, whichever is
  /// less; none if nothing has a limit.
  [[nodiscard]] std::optional<TimePoint> due(std::optional<std::uint64_t> free) const;

  /// The deal is made now. Returns A, what `shares` is to be asked for.
  [[nodiscard]] double deal(TimePoint now, std::optional<std::uint64_t> free);

 private:
  void decay(TimePoint now);

  TimePoint dealt_at_ = TimePoint{} - kInterval;
  TimePoint decayed_at_;
  double in_interval_ = 0, in_second_ = 0;  // flows, decaying over kInterval and 1 s: each is a rate times its span
  double dealt_for_ = 1;                    // A
  std::uint64_t arrived_ = 0;               // since the last deal
  bool changed_ = true, urgent_ = false;
  bool from_rest_ = false;  // the first of `arrived_` came when a deal was possible at once
};

}  // namespace wsl4::balance
