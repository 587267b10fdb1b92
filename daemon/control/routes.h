// Every path of the API, and what answers it.
#pragma once

#include <vector>

#include "daemon/control/node.h"
#include "daemon/http/router.h"

namespace wsl4::control {

/// `node` outlives the routes.
[[nodiscard]] std::vector<http::Route> make_routes(Node& node);

}  // namespace wsl4::control
