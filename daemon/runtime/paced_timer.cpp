#include "daemon/runtime/paced_timer.h"

#include <algorithm>
#include <utility>

namespace wsl4::runtime {

PacedTimer::PacedTimer(boost::asio::io_context& io, Clock::duration pause, std::function<void(Clock::time_point)> call)
    : timer_(io), pause_(pause), call_(std::move(call)) {}

void PacedTimer::wake(Clock::time_point when) {
  when = std::max(when, called_at_ + pause_);
  if (due_ && *due_ <= when) return;
  due_ = when;
  timer_.expires_at(when);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) run();
  });
}

/// A wait that is over already cannot be cancelled any more: then it comes beside the one that took its place.
void PacedTimer::run() {
  const auto now = Clock::now();
  if (!due_ || now < *due_) return;
  due_.reset();
  called_at_ = now;
  call_(now);
}

}  // namespace wsl4::runtime
