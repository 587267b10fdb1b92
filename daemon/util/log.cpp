#include "daemon/util/log.h"

#include <cstdlib>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace wsl4::log {

namespace {

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::kError:
      return spdlog::level::err;
    case config::LogLevel::kWarning:
      return spdlog::level::warn;
    case config::LogLevel::kInfo:
      return spdlog::level::info;
    case config::LogLevel::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

/// sd-daemon(3): the journal reads the priority from the line's start and has the time itself.
std::string_view journal_prefix(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::kError:
      return "<3>";
    case config::LogLevel::kWarning:
      return "<4>";
    case config::LogLevel::kInfo:
      return "<6>";
    case config::LogLevel::kDebug:
      return "<7>";
  }
  return "<6>";
}

bool g_journal = false;  // set by init, before threads

}  // namespace

void init() {
  g_journal = std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT(concurrency-mt-unsafe): no thread is running yet
  auto logger = spdlog::stderr_logger_mt("wsl4");
  logger->set_pattern(g_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_default_logger(std::move(logger));
}

void set_level(config::LogLevel level) { spdlog::set_level(to_spdlog(level)); }

void write(config::LogLevel level, std::string_view event, std::string_view fields) {
  spdlog::log(to_spdlog(level), "{}{} {}", g_journal ? journal_prefix(level) : "", event, fields);
}

}  // namespace wsl4::log
