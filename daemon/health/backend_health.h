// All that health checking knows of one backend: its verdict and its paths, and from them what to check next and how soon. Pure.
//
// Where at least two source addresses have a vote, a backend goes down after `fall` failed checks but never after one: with fall =
// 1 the second one, from another address, decides.
#pragma once

#include "daemon/health/paths.h"
#include "daemon/health/peer_verdicts.h"

namespace wsl4::health {

class BackendHealth {
 public:
  explicit BackendHealth(Damper::Limits limits) : limits_(limits) {}

  /// The verdict stays as it is; the new limits hold from the next check on.
  void set_limits(Damper::Limits limits) { limits_ = limits; }
  bool set_sources(Sources sources) { return paths_.set_sources(std::move(sources)); }

  /// As Paths::next.
  [[nodiscard]] std::optional<IpAddress> next_source(const Usable& usable);
  /// The result of the check from `source`, which `next_source` chose last. Returns whether state, failure or excluded addresses
  /// changed.
  bool record(const IpAddress& source, const CheckResult& result, TimePoint now);
  /// There was no address to check from.
  void record_no_source(TimePoint now);
  /// Whether the next check should come soon: a first verdict is near, or one on a path.
  [[nodiscard]] bool hurries(const Usable& usable) const;

  /// This node takes the active's place: what that one found counts, or without it what this one did, until checks from the sources
  /// say otherwise.
  void take_over(const std::optional<PeerVerdict>& found, TimePoint now);

  [[nodiscard]] const Standing& standing() const { return damper_.standing(); }
  [[nodiscard]] std::vector<IpAddress> excluded() const { return paths_.excluded(); }

 private:
  Damper::Limits limits_;
  Damper damper_;
  Paths paths_;
};

}  // namespace wsl4::health
