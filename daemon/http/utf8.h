// UTF-8 (RFC 3629). File names may hold any bytes, JSON may not.
#pragma once

#include <string>
#include <string_view>

namespace wsl4::http {

/// Each byte that is no part of a well-formed sequence becomes U+FFFD.
[[nodiscard]] std::string well_formed(std::string_view text);

}  // namespace wsl4::http
