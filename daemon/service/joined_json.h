// How backends that joined are stored: `joined.json` in the state directory.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "daemon/service/joined.h"

namespace wsl4::service {

struct StoredJoined {
  Leases leases;
  Discovered discovered;
};

[[nodiscard]] std::string to_text(const Leases& leases, const Discovered& discovered);
/// At the start of the daemon, `now`. The error names `file`, and says what is wrong with it and what to do.
[[nodiscard]] tl::expected<StoredJoined, std::string> parse_joined(std::string_view text, const std::string& file,
                                                                   Leases::Moment now);

}  // namespace wsl4::service
