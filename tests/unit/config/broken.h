// Broken configuration files, each with every message that it must yield.
#pragma once

#include <span>
#include <string_view>

namespace wsl4::config {

struct BrokenFile {
  const char* name;
  std::string_view text;
  std::string_view messages;  // one a line, as wsl4d prints them
};

[[nodiscard]] std::span<const BrokenFile> broken_node_settings();     // what single settings refuse: node, control, ha, pools
[[nodiscard]] std::span<const BrokenFile> broken_service_settings();  // the same of services
[[nodiscard]] std::span<const BrokenFile> broken_structures();        // syntax, tables, unknown and missing settings
[[nodiscard]] std::span<const BrokenFile> broken_references();        // what does not fit together
[[nodiscard]] std::span<const BrokenFile> broken_addresses();         // of the two nodes, and of what moves between them

}  // namespace wsl4::config
