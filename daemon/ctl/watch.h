// Redraws a text every second until Ctrl-C.
#pragma once

#include <functional>
#include <string>

#include "daemon/ctl/console.h"

namespace wsl4::ctl {

/// On a terminal in place, on its alternate screen, which is left as it was; else one text after the other. Ends on SIGINT or
/// SIGTERM. Returns the exit status.
int watch(const Console& console, const std::function<std::string()>& draw);

/// `text` as one frame of a screen with `rows` rows: what does not fit is left out, and what stood there before is wiped.
[[nodiscard]] std::string frame(const std::string& text, std::size_t rows);

}  // namespace wsl4::ctl
