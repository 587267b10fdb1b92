// The target of a request line (RFC 9112 3.2), decoded: "/v1/flows?limit=5" or "http://host/v1/flows?limit=5".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace wsl4::http {

struct Target {
  std::vector<std::string> path;             // percent-decoded segments; "/" has none, "/a/" has "a" and ""
  std::map<std::string, std::string> query;  // percent-decoded, plus signs as spaces
  friend bool operator==(const Target&, const Target&) = default;
};

/// The error says what is wrong with it: a broken percent code, a control character, a parameter given twice, another form.
[[nodiscard]] tl::expected<Target, std::string> parse_target(std::string_view text);

/// The reverse for one segment or one query value: everything but unreserved characters (RFC 3986 2.3) as percent codes.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace wsl4::http
