// The page that browsers see under "/": one self-contained document that reads /v1/status every few seconds.
#pragma once

#include <string_view>

namespace wsl4::control {

[[nodiscard]] std::string_view status_page();

}  // namespace wsl4::control
