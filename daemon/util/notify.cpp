#include "daemon/util/notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string_view>

#include <fmt/format.h>

#include "netlink/handle.h"

namespace wsl4::notify {

namespace {

/// A path, or with a leading @ a name in the abstract namespace. None: there is no service manager.
std::optional<sockaddr_un> manager() {
  const char* const name = std::getenv("NOTIFY_SOCKET");
  const std::string_view text = name == nullptr ? "" : name;
  sockaddr_un address{};
  if (text.empty() || text.size() >= sizeof address.sun_path || (text[0] != '/' && text[0] != '@')) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::ranges::copy(text, address.sun_path);
  if (text[0] == '@') address.sun_path[0] = 0;
  return address;
}

/// sd_notify(3) waits without limit for room in the manager's queue.
bool send(std::string_view message, std::chrono::milliseconds wait) {
  const auto to = manager();
  if (!to) return true;
  const netlink::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval limit{0, static_cast<suseconds_t>(std::chrono::microseconds(wait).count())};
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) return false;
  const bool is_path = to->sun_path[0] != 0;
  const auto name = std::string_view(to->sun_path + 1, sizeof to->sun_path - 1);
  const auto size = offsetof(sockaddr_un, sun_path) + 1 + std::min(name.find('\0'), name.size()) + (is_path ? 1 : 0);
  const int flags = MSG_NOSIGNAL | (wait.count() == 0 ? MSG_DONTWAIT : 0);
  return ::sendto(socket.get(), message.data(), message.size(), flags, reinterpret_cast<const sockaddr*>(&*to),
                  static_cast<socklen_t>(size)) >= 0;
}

/// The states of which the manager could not be told; a message behind them brings them along.
class Owed {
 public:
  void tell_state(const std::string& state) {
    const std::lock_guard lock(mutex_);
    states_ = behind(state);
    if (send(states_, kLongestWait)) states_.clear();
  }
  void tell(const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (send(behind(message), std::chrono::milliseconds(0))) states_.clear();
  }

 private:
  [[nodiscard]] std::string behind(const std::string& message) const {
    return states_.empty() ? message : states_ + "\n" + message;
  }

  std::mutex mutex_;
  std::string states_;
};

Owed& owed() {
  static Owed one;
  return one;
}

}  // namespace

void ready(const std::string& status) { owed().tell_state(fmt::format("READY=1\nSTATUS={}", status)); }

void reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
  owed().tell_state(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds));
}

void stopping() { owed().tell_state("STOPPING=1"); }

void watchdog() { owed().tell("WATCHDOG=1"); }

void watchdog_trigger() { owed().tell("WATCHDOG=trigger"); }

std::optional<std::chrono::microseconds> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

}  // namespace wsl4::notify
