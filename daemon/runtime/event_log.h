// The last things that happened, for `wsl4ctl events`. Control thread only.
#pragma once

#include <chrono>
#include <deque>
#include <list>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/control/node.h"

namespace wsl4::runtime {

class EventLog {
 public:
  explicit EventLog(boost::asio::io_context& io) : io_(io) {}

  /// Logs it, keeps it, wakes those who wait. The oldest of more than 1,000 are forgotten.
  void add(std::string name, std::string detail, std::string service = {}, std::string backend = {});

  /// Those after `sequence`, oldest first; waits up to `wait` for the first. A number that has not come yet is one of an earlier
  /// daemon: then it is all of them.
  boost::asio::awaitable<std::vector<control::NodeEvent>> after(std::uint64_t sequence, std::chrono::milliseconds wait);

 private:
  [[nodiscard]] std::vector<control::NodeEvent> kept_after(std::uint64_t sequence) const;

  boost::asio::io_context& io_;
  std::deque<control::NodeEvent> events_;
  std::uint64_t last_sequence_ = 0;
  std::list<boost::asio::steady_timer> waiters_;  // one per request in progress
};

}  // namespace wsl4::runtime
