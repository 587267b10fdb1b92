#include "daemon/ctl/units.h"

#include <fmt/format.h>

namespace wsl4::ctl {
namespace {
constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr std::size_t kTimeLength = 20;  // of "2026-11-23T13:41:00Z"
}  // namespace

std::string human_share(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string human_seconds(std::int64_t seconds) {
  if (seconds < kMinute) return fmt::format("{} s", seconds);
  if (seconds < kHour) return fmt::format("{} min {} s", seconds / kMinute, seconds % kMinute);
  if (seconds < kDay) return fmt::format("{} h {} min", seconds / kHour, seconds % kHour / kMinute);
  return fmt::format("{} d {} h", seconds / kDay, seconds % kDay / kHour);
}

std::string human_time(const std::string& iso8601) {
  if (iso8601.size() != kTimeLength || iso8601[10] != 'T' || iso8601.back() != 'Z') return iso8601;
  return iso8601.substr(0, 10) + " " + iso8601.substr(11, 8) + " UTC";
}

}  // namespace wsl4::ctl
