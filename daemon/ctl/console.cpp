#include "daemon/ctl/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "daemon/ctl/run.h"

namespace wsl4::ctl {
namespace {

bool write_to(std::FILE* file, std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

void write_out(std::string_view text) {
  if (write_to(stdout, text)) return;
  const auto why = std::generic_category().message(errno);
  if (errno != EPIPE) write_to(stderr, fmt::format("wsl4ctl: cannot write to standard output: {}\n", why));
  std::exit(kExitFailed);
}

/// A socket that takes the number of a standard descriptor would be what is written to. Writing to these fails.
void fill_closed_descriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(standard, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

Console process_console() {
  fill_closed_descriptors();
  Console console;
  console.out = write_out;
  console.err = [](std::string_view text) { write_to(stderr, text); };
  console.terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* kind = std::getenv("TERM");
  console.colour = console.terminal && !is_set("NO_COLOR") && !(kind != nullptr && std::string_view(kind) == "dumb");
  return console;
}

}  // namespace wsl4::ctl
