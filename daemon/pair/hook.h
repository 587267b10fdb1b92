// Runs the programs of ha.hooks, one at a time, without ever waiting for them. They have neither capabilities nor root's rights,
// and what they say goes to the daemon's log.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace wsl4::pair {

struct Hook {
  std::string program;
  std::string role;                      // what it is run for; in its environment as WSL4_ROLE
  std::vector<std::string> environment;  // NAME=value; beside these the hook has only PATH
};

class HookRunner {
 public:
  /// A hook that takes longer is killed, with what it has started.
  static constexpr std::chrono::seconds kTimeout{30};

  /// What became of a hook that failed: "ended with status 1", "cannot be run: Permission denied", "was killed after 30000 ms", …
  using OnFailed = std::function<void(const Hook& hook, const std::string& what)>;

  HookRunner(boost::asio::io_context& io, OnFailed on_failed, std::chrono::milliseconds timeout = kTimeout);
  /// What runs goes on by itself.
  ~HookRunner() = default;
  HookRunner(const HookRunner&) = delete;
  HookRunner& operator=(const HookRunner&) = delete;

  /// Behind the one that runs, which is asked to end (SIGTERM) if it is of another role: that one is over. Of those that wait only
  /// the last one counts.
  void run(Hook hook);
  /// There is none for the role that this node has now: nothing is to run any more, and no failure counts.
  void leave();
  [[nodiscard]] bool busy() const { return running_.has_value(); }
  /// "PROGRAM ended with status 1", until another one is run.
  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

 private:
  void start(Hook hook);
  void overtake();
  void ended();
  void failed(const Hook& hook, const std::string& what);

  OnFailed on_failed_;
  std::chrono::milliseconds timeout_;
  std::optional<Hook> running_, waiting_;
  std::optional<std::string> failure_;
  pid_t process_ = 0;
  bool timed_out_ = false, overtaken_ = false;
  boost::asio::posix::stream_descriptor process_fd_;
  boost::asio::steady_timer timer_;
};

}  // namespace wsl4::pair
