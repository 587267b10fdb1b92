#include "daemon/ctl/run.h"

#include <algorithm>
#include <exception>

#include <fmt/format.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/options.h"

namespace wsl4::ctl {
namespace {

int run_command(const Options& options, const Console& console, const Machine& machine) {
  switch (options.command) {
    case Command::kStatus:
      return status(options, console);
    case Command::kCheck:
      return check(options, console, machine);
    case Command::kReload:
      return reload(options, console);
    case Command::kBackendAdd:
    case Command::kBackendRemove:
    case Command::kBackendEnable:
    case Command::kBackendDisable:
    case Command::kBackendDrain:
    case Command::kBackendWeight:
    case Command::kBackendReset:
      return change_backend(options, console);
    case Command::kRebalance:
      return rebalance(options, console);
    case Command::kPick:
      return pick(options, console);
    case Command::kFlows:
      return flows(options, console);
    case Command::kFailover:
      return failover(options, console);
    case Command::kPromote:
    case Command::kDemote:
      return set_role(options, console);
    case Command::kEvents:
      return events(options, console);
    case Command::kKeygen:
      return keygen(options, console);
    case Command::kPurge:
      return purge(options, console, machine);
  }
  return kExitUsage;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.check = [](const config::Config& config) {
    const auto sysctls = host::kernel_sysctls();
    return host::check_host(config, *sysctls);
  };
  machine.purge = runtime::purge;
  return machine;
}

int run(const std::vector<std::string>& arguments, Console console, const Machine& machine) {
  const auto options = parse_options(arguments);
  console.json = options ? options->json : std::ranges::find(arguments, "--json") != arguments.end();
  if (!options) {
    const auto& ending = options.error();
    if (!ending.why.empty()) return fail(console, ending.status, ending.why);
    console.out(ending.out);
    return ending.status;
  }
  try {
    return run_command(*options, console, machine);
  } catch (const std::exception& error) {
    // Parsing the daemon's answer is all that throws.
    return fail(console, kExitFailed,
                fmt::format("the daemon's answer is not understood ({}); is its version another one?", error.what()));
  }
}

int run(int argc, char** argv) { return run(std::vector<std::string>(argv + 1, argv + argc), process_console(), this_machine()); }

}  // namespace wsl4::ctl
