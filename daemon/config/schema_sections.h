// The parts that the schema is put together from. For schema*.cpp only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "daemon/config/schema.h"

namespace wsl4::config {

extern const Section kNodeSection, kControlSection, kHaSection, kAddressesSection, kPoolSection, kServiceSection;

constexpr std::int64_t to_milliseconds(std::chrono::milliseconds duration) { return duration.count(); }

}  // namespace wsl4::config
