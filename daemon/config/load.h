// From a file's text to a checked Config, or to all of its problems at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/reader.h"

namespace wsl4::config {

/// One thing that is wrong, with its place (1-based; 0: the file as a whole).
struct Problem {
  std::string file;
  std::uint32_t line = 0, column = 0;
  std::string key;   // "service[0].backend[1].weight", as the contract's key.path
  std::string what;  // "1001 is out of range (0-1000)"

  /// "FILE:LINE:COLUMN: key.path: what is wrong (what is allowed)"
  [[nodiscard]] std::string message() const;
  friend bool operator==(const Problem&, const Problem&) = default;
};

using Problems = std::vector<Problem>;

/// Says what is wrong with the files that a configuration names.
using Inspect = std::function<Findings(const Config&)>;

/// `file` is the name used in messages. Of broken TOML syntax only the first problem is known. `inspect` is asked
/// about a configuration without problems.
[[nodiscard]] tl::expected<Config, Problems> parse(std::string_view text, const std::string& file, const Inspect& inspect = {});

/// Reads and parses; a file that cannot be read is one Problem without a line.
[[nodiscard]] tl::expected<Config, Problems> load(const std::string& path, const Inspect& inspect = {});

/// What a file says of node.state_dir, whatever else is wrong with it. None if it does not say, or cannot be read.
[[nodiscard]] std::optional<std::string> find_state_dir(const std::string& path);

}  // namespace wsl4::config
