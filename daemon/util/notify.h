// What systemd is told (sd_notify(3)). Without a service manager nothing happens. One that does not read for a while holds nothing
// up: what it could not be told of states is told with the next message, watchdog ones included.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace wsl4::notify {

/// For room in the manager's queue, for a change of state; `watchdog` does not wait.
inline constexpr std::chrono::milliseconds kLongestWait{200};

void ready(const std::string& status);
void reloading();
void stopping();
void watchdog();
/// Asks systemd to do now what it does when `watchdog` is not called in time.
void watchdog_trigger();
/// How long systemd waits for `watchdog` before it ends us; nullopt: no watchdog.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace wsl4::notify
