// Any text is a configuration or a list of problems, each with its place in the text; what was read says the same again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "daemon/config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto config = wsl4::config::parse(text, "f");
  if (config) {
    if (*config != *wsl4::config::parse(text, "f")) std::abort();
    return 0;
  }
  if (config.error().empty()) std::abort();
  for (const auto& problem : config.error()) {
    if (problem.what.empty() || problem.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
