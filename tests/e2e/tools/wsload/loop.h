// One epoll loop for sockets and for the commands that come line by line on standard input.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace wsload {

using Clock = std::chrono::steady_clock;

class Loop {
 public:
  using Handler = std::function<void(int fd, std::uint32_t events)>;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void on_socket(Handler handler) { handler_ = std::move(handler); }
  /// Called between polls, at least every few milliseconds.
  void on_tick(std::function<void()> tick) { tick_ = std::move(tick); }
  void add(int fd, std::uint32_t events);
  void change(int fd, std::uint32_t events);

  /// Serves sockets until `done` says so or `deadline` has passed; true if done.
  bool run_until(const std::function<bool()>& done, Clock::time_point deadline);
  /// Serves sockets and calls `command` for each line of standard input, until its end.
  void run(const std::function<void(const std::string&)>& command);

 private:
  void poll();
  int epoll_;
  bool input_ended_ = false;
  std::string input_;
  Handler handler_;
  std::function<void()> tick_;
};

/// Prints one line of JSON and flushes it.
void answer(const std::string& json);

}  // namespace wsload
