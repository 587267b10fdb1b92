// wsl4ctl's command line as a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace wsl4::ctl {

enum class Command : unsigned char {
  kStatus,
  kCheck,
  kReload,
  kBackendAdd,
  kBackendRemove,
  kBackendEnable,
  kBackendDisable,
  kBackendDrain,
  kBackendWeight,
  kBackendReset,
  kRebalance,
  kPick,
  kFlows,
  kFailover,
  kPromote,
  kDemote,
  kEvents,
  kKeygen,
  kPurge
};

struct FlowFilter {
  std::optional<std::string> service, backend, client, snat;
  std::size_t limit = 100;
};

/// For the daemon to judge: it knows what is allowed.
struct ChangeArguments {
  std::string service, backend;
  std::string address;                          // backend add
  std::optional<std::int64_t> weight;           // backend add, backend weight
  std::optional<std::int64_t> max_connections;  // backend add
  std::optional<std::string> public_address;    // backend add
  std::optional<std::int64_t> evict;            // backend drain
  std::int64_t rate = 0;                        // rebalance
};

struct Options {
  Command command = Command::kStatus;
  std::string socket = "/run/wsl4/wsl4d.sock";
  bool socket_given = false;
  bool json = false;
  bool watch = false;                          // status
  bool dry_run = false;                        // reload, purge
  bool force = false;                          // failover
  bool follow = false;                         // events
  std::string config = "/etc/wsl4/wsl4.toml";  // check, purge
  std::optional<std::string> key_file;         // keygen; none: standard output
  FlowFilter flows;
  ChangeArguments change;
};

/// When there is nothing to do but to print and to end: help, version, wrong usage.
struct Ending {
  int status = 0;
  std::string out;  // as it is to be printed
  std::string why;  // what is wrong, in a sentence
};

/// `arguments` without the program's name.
[[nodiscard]] tl::expected<Options, Ending> parse_options(const std::vector<std::string>& arguments);

}  // namespace wsl4::ctl
