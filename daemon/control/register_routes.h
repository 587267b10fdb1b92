// What nodes that join by themselves can ask for, on the register listener: PUT and DELETE of one backend with a token
// (Authorization: Bearer), and /healthz without.
#pragma once

#include <vector>

#include "daemon/control/joiner.h"
#include "daemon/http/router.h"

namespace wsl4::control {

/// `joiner` outlives the routes. A token that does not cover a service gets the same answer whether the service exists or not.
[[nodiscard]] std::vector<http::Route> make_register_routes(Joiner& joiner);

}  // namespace wsl4::control
