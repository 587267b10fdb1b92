// What differs between the running configuration and a loaded one. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "daemon/config/config.h"

namespace wsl4::config {

/// The full keys ("node.ct_mark_mask") of settings that differ and take effect at the next start only, in the schema's order.
/// If only one of the two has a table [ha], that is "ha".
[[nodiscard]] std::vector<std::string> restart_changes(const Config& running, const Config& loaded);

/// The names of services that differ, or whose pool does; of those that came or went too. Their order is no difference.
[[nodiscard]] std::set<std::string> changed_services(const Config& running, const Config& loaded);

}  // namespace wsl4::config
