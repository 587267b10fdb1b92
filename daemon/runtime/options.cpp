#include "daemon/runtime/options.h"

#include <CLI/CLI.hpp>

namespace wsl4::runtime {

namespace {
constexpr int kUsageError = 2;
}

tl::expected<Options, int> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("wsl4d: layer-4 balancer in the kernel; stays in the foreground. See wsl4d(8).", "wsl4d");
  app.add_option("--config", options.config_path, "Configuration file")->capture_default_str()->type_name("FILE");
  app.add_flag("--check", options.check, "Check the configuration and exit: 0 valid, 1 no service defined, 2 errors");
  app.add_flag("--release", options.release,
               "After a crash: withdraw the addresses if a synced peer takes over; on a single node nothing");
  app.set_version_flag("--version", "wsl4d " WSL4_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { return tl::make_unexpected(app.exit(error) == 0 ? 0 : kUsageError); }
  return options;
}

}  // namespace wsl4::runtime
