// Whether a thread still turns: it beats, another one looks. A thread whose beat is missing hangs, and is to be ended at once; so
// that this is within 2 s of its last beat, whoever looks does so every kLookInterval.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace wsl4::runtime {

class Pulse {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kBeatInterval{100}, kLookInterval{100};
  static constexpr std::chrono::milliseconds kLimit{1500};  // without a beat
  static constexpr std::chrono::milliseconds kPromise{2000};
  static_assert(kLimit + 2 * kLookInterval < kPromise);
  /// A kernel object takes about 10 us within a batch, during which nothing beats.
  static constexpr std::chrono::microseconds kObjectTime{20};

  /// The thread turns, and begins work of so many kernel objects.
  void beat(Clock::time_point now, std::size_t objects = 0) {
    alive_until_ = (now + kLimit + kObjectTime * static_cast<Clock::rep>(objects)).time_since_epoch().count();
  }
  /// From any thread.
  [[nodiscard]] bool is_alive(Clock::time_point now) const { return now.time_since_epoch().count() < alive_until_; }

 private:
  std::atomic<Clock::rep> alive_until_{0};
};

}  // namespace wsl4::runtime
