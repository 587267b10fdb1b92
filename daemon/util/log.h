// The daemon's log: one line per decision, with a stable event name and key=value fields, on standard error (the journal, under
// systemd, with its priorities). Only daemon/ logs; the libraries return errors.
#pragma once

#include <string_view>

#include <fmt/format.h>

#include "daemon/config/config.h"

namespace wsl4::log {

/// Call once, before any thread is started.
void init();
void set_level(config::LogLevel level);

void write(config::LogLevel level, std::string_view event, std::string_view fields);

template <class... Args>
void error(std::string_view event, fmt::format_string<Args...> fields, Args&&... args) {
  write(config::LogLevel::kError, event, fmt::format(fields, std::forward<Args>(args)...));
}
template <class... Args>
void warning(std::string_view event, fmt::format_string<Args...> fields, Args&&... args) {
  write(config::LogLevel::kWarning, event, fmt::format(fields, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view event, fmt::format_string<Args...> fields, Args&&... args) {
  write(config::LogLevel::kInfo, event, fmt::format(fields, std::forward<Args>(args)...));
}
template <class... Args>
void debug(std::string_view event, fmt::format_string<Args...> fields, Args&&... args) {
  write(config::LogLevel::kDebug, event, fmt::format(fields, std::forward<Args>(args)...));
}

}  // namespace wsl4::log
