#include "daemon/runtime/run.h"

#include <cstdio>

#include <fmt/format.h>

#include "daemon/config/load.h"
#include "daemon/control/register_server.h"
#include "daemon/runtime/app.h"
#include "daemon/runtime/release.h"
#include "daemon/util/log.h"
#include "daemon/util/signals.h"

namespace wsl4::runtime {

namespace {

constexpr int kDone = 0, kFailed = 1, kConfigurationError = 2;

int check(const config::Config& config, const std::string& path) {
  if (!config.services.empty()) return kDone;
  fmt::print(stderr, "{}: no service is defined\n", path);
  return kFailed;
}

int give_up_addresses(const std::string& config_path) {
  const auto released = release(config_path);
  fmt::print(stderr, "{}\n", released ? *released : released.error());
  return released ? kDone : kFailed;
}

}  // namespace

int run(const Options& options) {
  util::hold_signals();
  if (options.release) return give_up_addresses(options.config_path);

  auto config = config::load(options.config_path, control::inspect_register);
  if (!config) {
    for (const auto& problem : config.error()) fmt::print(stderr, "{}\n", problem.message());
    return kConfigurationError;
  }
  if (options.check) return check(*config, options.config_path);

  log::init();
  log::set_level(config->node.log_level);
  App app(options.config_path, std::move(*config));
  if (const auto started = app.start(); !started) {
    log::error("not-started", "error=\"{}\"", started.error());
    return kFailed;
  }
  app.run();
  return kDone;
}

}  // namespace wsl4::runtime
