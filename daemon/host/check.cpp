#include "daemon/host/check.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "daemon/control/tokens.h"
#include "daemon/util/as_user.h"

namespace wsl4::host {

using Severity = Finding::Severity;

bool has_link(const Machine& machine, const std::string& name) {
  return std::ranges::find(machine.links, name, &netlink::rtnl::Link::name) != machine.links.end();
}

Finding cannot_look_at(const std::string& what, const std::string& why, bool by_rights) {
  return {Severity::kWarning, fmt::format("{} cannot be looked at: {}", what, why),
          by_rights ? "run the check as root (sudo wsl4ctl check)" : "see the message"};
}

Machine look_at_machine() {
  Machine machine;
  machine.kernel = KernelVersion::running();
  const auto unreadable = [&](const std::string& what, const netlink::Error& error) {
    machine.findings.push_back(cannot_look_at(what, error.message(), error.code == EPERM || error.code == EACCES));
  };
  const auto keep = [&](auto& where, auto read, const char* what) {
    if (read)
      where = std::move(*read);
    else
      unreadable(what, read.error());
  };
  if (const auto rtnl = netlink::rtnl::open_rtnl(); !rtnl) {
    unreadable("interfaces", rtnl.error());
  } else {
    keep(machine.links, (*rtnl)->links(), "interfaces");
    keep(machine.addresses, (*rtnl)->addresses(), "addresses");
    keep(machine.neighbours, (*rtnl)->neighbours(), "neighbours");
  }
  machine.sockets = read_local_sockets();
  keep(machine.base_chains, netlink::nft::read_base_chains(), "foreign nftables chains");
  return machine;
}

void judge_kernel(const Machine& machine, std::vector<Finding>& findings) {
  const auto features = features_of(machine.kernel);
  const auto running = fmt::format("kernel {}.{}", machine.kernel.major, machine.kernel.minor);
  if (!features.supported) {
    findings.push_back({Severity::kError, running + " is too old: wsl4 needs 6.1 or newer",
                        "install a newer kernel (apt install linux-image-amd64)"});
    return;
  }
  const auto lacks = [&](bool has, const char* since, const char* what) {
    if (!has)
      findings.push_back({Severity::kNote, fmt::format("{} {}", running, what),
                          fmt::format("nothing has to be done; kernel {} and newer have it", since)});
  };
  lacks(features.time_wait_reuse, "6.5", "does not reuse SNAT ports in TIME_WAIT: a closed flow can hold its port for 120 s");
  lacks(features.owned_tables, "6.9", "has no owned and persistent tables: a foreign flush is repaired, not refused");
  lacks(features.steady_lookups, "6.17", "can miss a map element while a change is committed: each lookup is made twice");
}

void judge_sysctls(const config::Config& config, Sysctls& sysctls, std::vector<Finding>& findings) {
  const auto wanted = wanted_sysctls(config);
  const bool tracking = sysctls.read("net/netfilter/nf_conntrack_max").has_value();
  if (!tracking && !wanted.empty())
    findings.push_back(
        {Severity::kNote, "connection tracking is not loaded yet; the unit's first step loads it", "modprobe nf_conntrack"});
  for (const auto& [name, value] : wanted) {
    const bool of_tracking = name.starts_with("net/netfilter/");
    if (of_tracking && !tracking) continue;
    const auto present = sysctls.read(name);
    if (!present) {
      findings.push_back({Severity::kError, fmt::format("{} is not there", name),
                          of_tracking ? "use a kernel that has it, as Debian's do" : "use a kernel with IPv6"});
    } else if (*present != value) {
      findings.push_back({Severity::kNote, fmt::format("{} is {}, not {}; wsl4d sets it when it starts", name, *present, value),
                          set_command(name, value)});
    }
  }
}

std::string set_command(const std::string& name, const std::string& value) { return fmt::format("sysctl -w {}={}", name, value); }

std::vector<Finding> judge(const config::Config& config, const Machine& machine, Sysctls& sysctls) {
  auto findings = machine.findings;
  judge_kernel(machine, findings);
  judge_sysctls(config, sysctls, findings);
  judge_interfaces(config, machine, findings);
  judge_pair(config, machine, findings);
  judge_virtual_mac(config, machine, findings);
  judge_backends(config, machine, findings);
  judge_listeners(config, machine, findings);
  judge_tokens(machine, findings);
  judge_local_sockets(config, machine, findings);
  judge_forward_chains(machine, findings);
  judge_reverse_path(config, machine, sysctls, findings);
  judge_arp(config, machine, sysctls, findings);
  judge_router_advertisements(config, machine, sysctls, findings);
  judge_table_sizes(config, machine, sysctls, findings);
  std::stable_partition(findings.begin(), findings.end(),
                        [](const Finding& finding) { return finding.severity == Severity::kError; });
  return findings;
}

std::vector<Finding> check_host(const config::Config& config, Sysctls& sysctls) {
  auto machine = look_at_machine();
  std::ranges::move(look_at_files(config), std::back_inserter(machine.findings));
  if (config.control.register_listen) {
    const auto tokens = util::as_user(util::kDaemonUser, [&] { return control::Tokens::load(config.control.token_file); });
    if (tokens) machine.strangers = tokens->strangers(config);
  }
  if (uses_virtual_mac(config)) {
    const auto rtnl = netlink::rtnl::open_rtnl();
    if (const auto knows = rtnl ? (*rtnl)->knows_macvlan() : tl::make_unexpected(rtnl.error()); knows)
      machine.knows_macvlan = *knows;
  }
  auto findings = judge(config, machine, sysctls);
  if (auto note = flood_cost(sysctls)) findings.push_back(*std::move(note));
  return findings;
}

}  // namespace wsl4::host
