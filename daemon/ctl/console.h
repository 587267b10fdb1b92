// Where wsl4ctl writes to, and how.
#pragma once

#include <functional>
#include <string_view>

namespace wsl4::ctl {

struct Console {
  std::function<void(std::string_view)> out;  // standard output
  std::function<void(std::string_view)> err;  // standard error
  bool terminal = false;                      // standard output is one
  bool colour = false;
  bool json = false;  // what went wrong is told as a document on standard output too
};

/// The process's own: colour only on a terminal, and not with NO_COLOR (https://no-color.org). Where standard output cannot be
/// written `out` says why and ends the process with kExitFailed; of a pipe that nobody reads any more it says nothing.
[[nodiscard]] Console process_console();

}  // namespace wsl4::ctl
