// What a reload cannot bring into effect. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/config.h"

namespace wsl4::config {

/// The full keys ("node.ct_mark_mask") of settings that differ and take effect at the next start only, in the schema's order.
/// If only one of the two has a table [ha], that is "ha".
[[nodiscard]] std::vector<std::string> restart_changes(const Config& running, const Config& loaded);

}  // namespace wsl4::config
