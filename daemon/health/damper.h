// Turns checks into a verdict: a backend comes up after `rise` good checks in a row and goes down after `fall` bad ones. Pure.
//
// The first good check brings a new backend up at once, as a HAProxy server starts up. Unlike there, the first bad one does not
// take it down, since every restart begins so and a lost SYN must not end thousands of flows: it takes `fall` of them too (which
// the scheduler lets follow each other soon).
#pragma once

#include "daemon/health/standing.h"

namespace wsl4::health {

class Damper {
 public:
  struct Limits {
    int rise = 2, fall = 3;  // 1 and up
  };

  /// Returns whether state or failure changed. A backend goes down as kConnect if connecting failed `fall` times in a row, else as
  /// kAnswer; from kAnswer it goes on to kConnect once that is so, never back.
  bool record(const CheckResult& result, Limits limits, TimePoint now);

  /// The state counts until own checks say something else. Of one that is down the failure is none until `fall` checks in a row
  /// have confirmed it, and then a change.
  void presume(State state, TimePoint now);

  [[nodiscard]] const Standing& standing() const { return standing_; }
  /// Good and bad checks in a row, counted no further than the limits; at most one of them is above zero.
  [[nodiscard]] int good() const { return good_; }
  [[nodiscard]] int bad() const { return bad_; }

 private:
  bool record_good(int rise, TimePoint now);
  bool record_bad(Outcome outcome, int fall, TimePoint now);

  Standing standing_;
  int good_ = 0, bad_ = 0;
  int unconnected_ = 0;  // of the bad ones in a row, the last that failed to connect
};

}  // namespace wsl4::health
