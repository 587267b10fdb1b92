// What of the configuration has to be equal on both nodes. Pure.
#pragma once

#include <vector>

#include "daemon/config/config.h"
#include "sync/wire.h"

namespace wsl4::pair {

/// One digest for each setting of [ha] that both share ("ha.election") and of [addresses], one for each pool ("pool.NAME") and
/// service ("service.NAME") as a whole, in this order, so that a frame has room for the first ones. Whatever the order of the
/// file, and however its ranges are written. What is the node's own (names, interfaces, priority) is not in them, nor is what has
/// its default, so that a setting of a later version makes no difference where it is not used.
[[nodiscard]] std::vector<sync::KeyDigest> config_digests(const config::Config& config);

}  // namespace wsl4::pair
