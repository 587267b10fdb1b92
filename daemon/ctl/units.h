// Figures as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/util/counted.h"

namespace wsl4::ctl {

using util::counted;
using util::human_count;

/// "33.3 %" for 0.333
[[nodiscard]] std::string human_share(double share);
/// "12 s", "3 min 5 s", "2 h 0 min", "3 d 4 h"
[[nodiscard]] std::string human_seconds(std::int64_t seconds);
/// "2026-11-23 13:41:00 UTC" for "2026-11-23T13:41:00Z"; other text stays as it is.
[[nodiscard]] std::string human_time(const std::string& iso8601);

}  // namespace wsl4::ctl
