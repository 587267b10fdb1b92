// What `check` looks at, as a value, and the judgement over it. The judgement is pure but for the settings, which it asks for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/host/host.h"
#include "daemon/host/local_sockets.h"
#include "netlink/nft/base_chains.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::host {

struct Machine {
  KernelVersion kernel;
  std::vector<netlink::rtnl::Link> links;
  std::vector<netlink::rtnl::InterfaceAddress> addresses;
  std::vector<netlink::rtnl::Neighbour> neighbours;
  LocalSocketsByEndpoint sockets;
  std::optional<std::vector<netlink::nft::BaseChain>> base_chains;  // none: not readable
  std::vector<std::string> strangers;                               // services that only control.token_file knows
  std::optional<bool> knows_macvlan;                                // none: not asked, or not told
  std::vector<Finding> findings;  // of looking itself: what could not be looked at, what the daemon may not do
};

/// Looks at this network namespace.
[[nodiscard]] Machine look_at_machine();
[[nodiscard]] bool has_link(const Machine& machine, const std::string& name);
/// A warning. `by_rights`: root could.
[[nodiscard]] Finding cannot_look_at(const std::string& what, const std::string& why, bool by_rights);
/// What the daemon's user may not do with the files that the configuration names.
[[nodiscard]] std::vector<Finding> look_at_files(const config::Config& config);

/// Errors first.
[[nodiscard]] std::vector<Finding> judge(const config::Config& config, const Machine& machine, Sysctls& sysctls);

/// sysctl(8) takes names of interfaces with a dot only in the slashed form.
[[nodiscard]] std::string set_command(const std::string& name, const std::string& value);

// The parts of it, by file.
void judge_kernel(const Machine& machine, std::vector<Finding>& findings);
void judge_sysctls(const config::Config& config, Sysctls& sysctls, std::vector<Finding>& findings);
// check_interfaces.cpp
void judge_interfaces(const config::Config& config, const Machine& machine, std::vector<Finding>& findings);
void judge_arp(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings);
void judge_reverse_path(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings);
void judge_router_advertisements(const config::Config& config, const Machine& machine, Sysctls& sysctls,
                                 std::vector<Finding>& findings);
// check_pair.cpp
void judge_pair(const config::Config& config, const Machine& machine, std::vector<Finding>& findings);
void judge_virtual_mac(const config::Config& config, const Machine& machine, std::vector<Finding>& findings);
// check_traffic.cpp
void judge_backends(const config::Config& config, const Machine& machine, std::vector<Finding>& findings);
void judge_listeners(const config::Config& config, const Machine& machine, std::vector<Finding>& findings);
void judge_tokens(const Machine& machine, std::vector<Finding>& findings);
void judge_local_sockets(const config::Config& config, const Machine& machine, std::vector<Finding>& findings);
void judge_forward_chains(const Machine& machine, std::vector<Finding>& findings);
// table_sizes.cpp
void judge_table_sizes(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings);
/// What a flood of SYNs can take here at most, as a note; none where connection tracking is not loaded.
[[nodiscard]] std::optional<Finding> flood_cost(Sysctls& sysctls);

}  // namespace wsl4::host
