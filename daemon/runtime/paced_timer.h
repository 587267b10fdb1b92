// Calls a function at a time that may still be made sooner, and never within a pause of the call before, so that a stream of events
// does not become a stream of transactions. On the thread of `io`, which runs nothing any more when this object ends.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace wsl4::runtime {

class PacedTimer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `call` may set the timer again.
  PacedTimer(boost::asio::io_context& io, Clock::duration pause, std::function<void(Clock::time_point now)> call);

  /// One call at `when`, or at the end of the pause if that is later; of several times asked for before it the first counts.
  void wake(Clock::time_point when);
  /// Of the next call; none: not until somebody asks for one.
  [[nodiscard]] std::optional<Clock::time_point> due() const { return due_; }

 private:
  void run();

  boost::asio::steady_timer timer_;
  const Clock::duration pause_;
  const std::function<void(Clock::time_point)> call_;
  std::optional<Clock::time_point> due_;
  Clock::time_point called_at_ = Clock::time_point::min();
};

}  // namespace wsl4::runtime
