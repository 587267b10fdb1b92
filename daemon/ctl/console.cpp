#include "daemon/ctl/console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace wsl4::ctl {
namespace {

void write_to(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

Console process_console() {
  Console console;
  console.out = [](std::string_view text) { write_to(stdout, text); };
  console.err = [](std::string_view text) { write_to(stderr, text); };
  console.terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* kind = std::getenv("TERM");
  console.colour = console.terminal && !is_set("NO_COLOR") && !(kind != nullptr && std::string_view(kind) == "dumb");
  return console;
}

}  // namespace wsl4::ctl
