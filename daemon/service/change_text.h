// What was changed of a backend at run time, in words for an event. Pure.
#pragma once

#include <string>

#include "daemon/service/change.h"

namespace wsl4::service {

/// "weight 50, draining, 20 flows a second are ended". What a backend counts itself is no change.
[[nodiscard]] std::string describe(const BackendChange& change);

}  // namespace wsl4::service
