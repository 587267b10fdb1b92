// wsl4ctl's command line as a value.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace wsl4::ctl {

enum class Command : unsigned char { kStatus, kCheck, kReload, kFlows, kEvents, kPurge };

struct FlowFilter {
  std::optional<std::string> service, backend, client, snat;
  std::size_t limit = 100;
};

struct Options {
  Command command = Command::kStatus;
  std::string socket = "/run/wsl4/wsl4d.sock";
  bool socket_given = false;
  bool json = false;
  bool watch = false;                          // status
  bool dry_run = false;                        // reload
  bool follow = false;                         // events
  std::string config = "/etc/wsl4/wsl4.toml";  // check, purge
  FlowFilter flows;
};

/// When there is nothing to do but to print and to end: help, version, wrong usage.
struct Ending {
  int status = 0;
  std::string out, err;
};

/// `arguments` without the program's name.
[[nodiscard]] tl::expected<Options, Ending> parse_options(const std::vector<std::string>& arguments);

}  // namespace wsl4::ctl
