// JSON as the API writes it: numbers as people write them (0.333, not 3.33E-1), members in the order they were put in.
#pragma once

#include <string>

#include <boost/json/value.hpp>

namespace wsl4::http {

enum class JsonLayout : unsigned char {
  kCompact,   // one line
  kIndented,  // two spaces a level; what fits on one line of 100 characters stays on one
};

/// Bytes in texts that are not UTF-8 become U+FFFD. Numbers that JSON cannot tell (infinite, not a number) become null.
[[nodiscard]] std::string to_text(const boost::json::value& value, JsonLayout layout = JsonLayout::kCompact);

}  // namespace wsl4::http
