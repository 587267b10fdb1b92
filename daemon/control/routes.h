// Every path of the API, and what answers it.
#pragma once

#include <cstddef>
#include <vector>

#include "daemon/control/node.h"
#include "daemon/control/query.h"
#include "daemon/http/router.h"

namespace wsl4::control {

/// `node` outlives the routes. `max_flows`: in one answer.
[[nodiscard]] std::vector<http::Route> make_routes(Node& node, std::size_t max_flows = kMaxFlows);

}  // namespace wsl4::control
