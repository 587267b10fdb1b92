// wsl4d's command line.
#pragma once

#include <string>

#include <tl/expected.hpp>

namespace wsl4::runtime {

struct Options {
  std::string config_path = "/etc/wsl4/wsl4.toml";
  bool check = false;    // only check the configuration
  bool release = false;  // withdraw what a crashed daemon left, where a peer can take over
};

/// The error is the exit status, after help, version or a usage error has been printed.
[[nodiscard]] tl::expected<Options, int> parse_options(int argc, char** argv);

}  // namespace wsl4::runtime
