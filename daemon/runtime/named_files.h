// The files that the configuration names and that each reload reads anew: which of them say something else than before.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "daemon/config/config.h"

namespace wsl4::runtime {

/// By setting, a hash of what the file says, since most of it is secret.
using NamedFiles = std::map<std::string, std::size_t>;

/// Those that are no good are left out.
[[nodiscard]] NamedFiles read_named_files(const config::Config& config);

/// The settings in both whose file is another one.
[[nodiscard]] std::vector<std::string> differing(const NamedFiles& before, const NamedFiles& now);

}  // namespace wsl4::runtime
