// Figures as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace wsl4::ctl {

/// "2,000,000"
[[nodiscard]] std::string human_count(std::uint64_t count);
/// "33.3 %" for 0.333
[[nodiscard]] std::string human_share(double share);
/// "12 s", "3 min 5 s", "2 h 0 min", "3 d 4 h"
[[nodiscard]] std::string human_seconds(std::int64_t seconds);
/// "1 flow", "2,000 flows"
[[nodiscard]] std::string counted(std::uint64_t count, const std::string& one, const std::string& many);
/// "2026-11-23 13:41:00 UTC" for "2026-11-23T13:41:00Z"; other text stays as it is.
[[nodiscard]] std::string human_time(const std::string& iso8601);

}  // namespace wsl4::ctl
