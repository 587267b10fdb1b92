#include "daemon/runtime/event_log.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kKept = 1000;

/// Somebody should look at these; the others only tell what went on.
constexpr std::array<std::string_view, 22> kWarnings{
    "address-conflict",  "all-backends-down",      "backend-down",     "changes-dropped",  "configurations-differ",
    "conntrack-overrun", "copies-without-service", "discovery-failed", "drift-repaired",   "hand-over-failed",
    "hook-failed",       "lease-lapsed",           "left-forwarding",  "not-shared",       "peer-disconnected",
    "peer-not-followed", "peer-refused",           "reload-refused",   "ruleset-repaired", "session-ended",
    "state-not-saved",   "sysctl-restored"};

}  // namespace

void EventLog::add(std::string name, std::string detail, std::string service, std::string backend) {
  const auto level = std::ranges::find(kWarnings, name) == kWarnings.end() ? config::LogLevel::kInfo : config::LogLevel::kWarning;
  log::write(level, name,
             fmt::format("{}{}{}{}detail=\"{}\"", service.empty() ? "" : "service=", service.empty() ? "" : service + " ",
                         backend.empty() ? "" : "backend=", backend.empty() ? "" : backend + " ", detail));
  events_.push_back(
      {++last_sequence_, control::WallClock::now(), std::move(name), std::move(service), std::move(backend), std::move(detail)});
  if (events_.size() > kKept) events_.pop_front();
  for (auto& waiter : waiters_) waiter.cancel();
}

std::vector<control::NodeEvent> EventLog::kept_after(std::uint64_t sequence) const {
  std::vector<control::NodeEvent> wanted;
  for (const auto& event : events_) {
    if (event.sequence > sequence) wanted.push_back(event);
  }
  return wanted;
}

asio::awaitable<std::vector<control::NodeEvent>> EventLog::after(std::uint64_t sequence, std::chrono::milliseconds wait) {
  if (sequence > last_sequence_) sequence = 0;
  if (last_sequence_ <= sequence && wait.count() > 0) {
    const auto waiter = waiters_.emplace(waiters_.end(), io_);
    waiter->expires_after(wait);
    boost::system::error_code woken;
    auto token = asio::redirect_error(asio::use_awaitable, woken);
    co_await waiter->async_wait(token);
    waiters_.erase(waiter);
  }
  co_return kept_after(sequence);
}

}  // namespace wsl4::runtime
