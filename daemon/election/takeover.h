// The steps in which the role is taken and given up, one after the other. Pure: somebody else does them and says when each is done.
//
//     take        guard on drop, addresses, announcements, late entries, guard on reject
//     meet        the same without addresses: another active was met, whose flows are still to come
//     hand over   queue drained, guard on standby, addresses off; whoever waits may then be given the role
//     forced hand-over, step down    the same, but it is done even if the queue does not drain
//     withdraw    guard on standby, addresses off
//
// A packet of a flow that has no entry yet must be dropped, not reset (kernel.md 5.2); so the guard drops until late entries are
// in, also when the role was handed over. Announcements are repeated every 500 ms for 5 s: a hung active answers too, until its
// watchdog ends it within 2 s.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/election/vrrp.h"

namespace wsl4::election {

enum class Step : std::uint8_t {
  kGuardDrop,        // new flows are served; packets of no flow are dropped
  kGuardReject,      // and now reset
  kGuardStandby,     // new flows and packets of no flow are dropped; known flows are forwarded
  kAddAddresses,     // VIPs, pools and addresses.extra; those that are there stay
  kAnnounce,         // of all of them, to the neighbours
  kRemoveAddresses,  //
  kAwaitEntries,     // until what the peer has sent is in the kernel, and it has nothing more to send
  kDrain,            // until the peer has acknowledged what there was to send
};
[[nodiscard]] std::string_view to_string(Step step);

enum class Plan : std::uint8_t { kTake, kMeet, kHandOver, kForcedHandOver, kStepDown, kWithdraw };

class Takeover {
 public:
  static constexpr std::chrono::milliseconds kAnnounceInterval{500}, kAnnounceFor{5000};
  /// Longer than this no step is waited for. Without the entries of a hand-over's queue nothing is handed over; else it goes on.
  static constexpr std::chrono::milliseconds kStepLimit{1000};
  /// For the flows of another active, or of one that has lost the role before all was here. The session with it may not stand yet,
  /// where adverts get through before it does: all that it has would be reset. Clients send again for longer than this.
  static constexpr std::chrono::milliseconds kEntriesLimit{30'000};
  /// For thousands of addresses: before they are off nobody else may have them.
  static constexpr std::chrono::milliseconds kRemoveLimit{5000};

  struct Phase {
    Step step;
    Duration took;
    bool done;  // false: given up after its limit
  };

  /// `outstanding`: of the sequence that this one replaces (see there).
  Takeover(Plan plan, TimePoint now, std::optional<Step> outstanding = {});

  /// The step to begin now, if there is one; each is told once, announcements again and again. To be asked until it is none.
  [[nodiscard]] std::optional<Step> next(TimePoint now);
  /// A step has come to its end, well or not: a caller that failed has told so itself. Anything but the step under way is ignored.
  void finished(Step step, TimePoint now);
  /// When `next` has something to do without `finished`.
  [[nodiscard]] std::optional<TimePoint> due() const;

  [[nodiscard]] Plan plan() const { return plan_; }
  [[nodiscard]] bool complete() const { return at_ == steps_.size(); }
  /// A hand-over whose queue did not drain: nothing has been changed.
  [[nodiscard]] bool failed() const { return failed_; }
  /// A hand-over that has not changed anything yet.
  [[nodiscard]] bool only_draining() const { return hands_over() && at_ == 0; }
  [[nodiscard]] bool hands_over() const { return plan_ == Plan::kHandOver || plan_ == Plan::kForcedHandOver; }
  /// A change that was begun and is not known to be done: what comes next must wait for it. Waiting is no change.
  [[nodiscard]] std::optional<Step> outstanding() const;
  /// Of the steps that are over.
  [[nodiscard]] const std::vector<Phase>& phases() const { return phases_; }

 private:
  void end_step(bool done, TimePoint now);
  /// Of the step under way.
  [[nodiscard]] TimePoint limit() const;

  Plan plan_;
  std::vector<Step> steps_;
  std::size_t at_ = 0;      // of steps_
  bool begun_ = false;      // steps_[at_]
  bool inherited_ = false;  // steps_[0] is another sequence's
  bool failed_ = false;
  TimePoint begun_at_;
  std::optional<TimePoint> announce_at_;  // the next repetition
  TimePoint announce_until_;
  std::vector<Phase> phases_;
};

}  // namespace wsl4::election
