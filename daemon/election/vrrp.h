// The state machine of one virtual router (RFC 9568 6). Pure: adverts and `now` in, states and adverts to send out.
//
// Both address families share one machine, unlike RFC 9568 1: VIPs of both move together. An advert of either family keeps a backup
// where it is, and what is to be sent is sent in each family.
//
//     Skew_Time            = (256 - priority) * Active_Adver_Interval / 256
//     Active_Down_Interval = 3 * Active_Adver_Interval + Skew_Time
//
// Beyond the RFC: a backup whose Active_Down_Timer has run out takes the role only while it is permitted to (role.h decides).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/election/advert.h"

namespace wsl4::election {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

class Vrrp {
 public:
  struct Settings {
    int priority = 100;  // 1-254
    std::chrono::milliseconds interval{100};
    bool preempt = false;
    IpAddress address;  // this node's primary address on the interface: of equals the greater one wins (RFC 9568 6.4.3). Only
                        // adverts of its family decide so, or with both families two could yield to each other
  };
  enum class State : std::uint8_t { kInit, kBackup, kActive };
  enum class Output : std::uint8_t {
    kAdvertise,     // send an advert with this node's priority
    kResign,        // send one with priority 0
    kBecameActive,  //
    kBecameBackup,  // a higher active was heard
    kHeardLower,    // by an active: another active that has to yield
  };

  explicit Vrrp(const Settings& settings) : settings_(settings), active_interval_(settings.interval) {}

  /// RFC 9568 6.4: Startup and Shutdown. Priority 255 is not for us, so a start leads to backup.
  void start(TimePoint now);
  void stop();
  void receive(const Advert& advert, const IpAddress& source, TimePoint now);
  void tick(TimePoint now);

  /// Permitted from the beginning.
  void permit(bool permitted) { permitted_ = permitted; }
  /// Takes the role without waiting: somebody gave it.
  void take(TimePoint now);
  /// An active becomes a backup because somebody else takes the role; nothing is sent.
  void yield(TimePoint now);
  /// A backup learns that the active is active no more: its timer has run out now.
  void hasten(TimePoint now);
  void set_priority(int priority) { settings_.priority = priority; }
  void set_preempt(bool preempt);

  [[nodiscard]] State state() const { return state_; }
  /// A backup's Active_Down_Timer has run out.
  [[nodiscard]] bool expired() const { return expired_; }
  /// Nobody's advert of an active has been heard for Active_Down_Interval, not even one that preemption ignores; by an active, of
  /// another one.
  [[nodiscard]] bool silent(TimePoint now) const { return now >= silent_at_; }
  [[nodiscard]] TimePoint silent_at() const { return silent_at_; }
  [[nodiscard]] Duration down_interval() const { return 3 * Duration(active_interval_) + skew(); }
  /// When `tick` has something to do.
  [[nodiscard]] std::optional<TimePoint> due() const;
  [[nodiscard]] std::vector<Output> take_outputs() { return std::exchange(outputs_, {}); }

 private:
  [[nodiscard]] Duration skew() const { return Duration(active_interval_) * (256 - settings_.priority) / 256; }
  [[nodiscard]] bool yields_to(const Advert& advert, const IpAddress& source) const;
  void receive_as_backup(const Advert& advert, TimePoint now);
  void receive_as_active(const Advert& advert, const IpAddress& source, TimePoint now);
  void wait(Duration down, TimePoint now);
  void wait_as_backup(TimePoint now);
  void become_active(TimePoint now);
  void advertise(TimePoint now);

  Settings settings_;
  State state_ = State::kInit;
  std::chrono::milliseconds active_interval_;  // Active_Adver_Interval
  TimePoint advert_at_, down_at_, silent_at_;  // Adver_Timer, Active_Down_Timer
  bool expired_ = false, permitted_ = true;
  std::vector<Output> outputs_;
};

}  // namespace wsl4::election
