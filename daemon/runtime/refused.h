// What the control API answers where it refuses.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/control/node.h"

namespace wsl4::runtime {

[[nodiscard]] inline tl::unexpected<control::Refusal> refused(int http_status, std::string title,
                                                              std::vector<std::string> details = {}) {
  return tl::make_unexpected(control::Refusal{http_status, std::move(title), std::move(details)});
}

}  // namespace wsl4::runtime
