// wsl4.toml(5), made from the schema.
#pragma once

#include <string>
#include <string_view>

namespace wsl4::config {

/// The page in man(7) macros. `example` is the installed example file, which ends the page.
[[nodiscard]] std::string man_page(std::string_view version, std::string_view example);

}  // namespace wsl4::config
