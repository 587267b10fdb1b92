// wsl4ctl's command line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/config.h"
#include "daemon/ctl/console.h"
#include "daemon/host/host.h"
#include "daemon/runtime/purge.h"

namespace wsl4::ctl {

// Exit statuses; scripts rely on them.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;       // refused or failed; one line on standard error says why and what to do
inline constexpr int kExitUsage = 2;        // usage or configuration error
inline constexpr int kExitUnreachable = 3;  // the daemon cannot be reached

/// What commands do on this machine without the daemon.
struct Machine {
  std::function<std::vector<host::Finding>(const config::Config&)> check;
  std::function<tl::expected<runtime::PurgeReport, runtime::PurgeRefusal>(const std::string& config_path, bool dry_run)> purge;
};
[[nodiscard]] Machine this_machine();

/// `arguments` without the program's name. Returns the exit status.
int run(const std::vector<std::string>& arguments, Console console, const Machine& machine);

int run(int argc, char** argv);

}  // namespace wsl4::ctl
