#include "daemon/host/check.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include <fmt/format.h>

#include "daemon/addresses/placement.h"
#include "daemon/dataplane/plan.h"

namespace wsl4::host {
namespace {

using netlink::Family;
using netlink::IpAddress;
using netlink::rtnl::InterfaceAddress;
using netlink::rtnl::Link;
using Severity = Finding::Severity;

bool uses(const config::Config& config, Family family) {
  return std::ranges::any_of(config.services, [family](const config::Service& service) {
    return std::ranges::any_of(service.listen, [family](const auto& listen) { return listen.address.family() == family; });
  });
}

const Link* link_named(const Machine& machine, const std::string& name) {
  const auto link = std::ranges::find(machine.links, name, &Link::name);
  return link == machine.links.end() ? nullptr : &*link;
}

bool is_loopback(const Machine& machine, int index) {
  const auto link = std::ranges::find(machine.links, index, &Link::index);
  return link != machine.links.end() && link->loopback;
}

/// The address is there already, or within the prefix of an interface that can carry it.
bool is_covered(const Machine& machine, const IpAddress& address) {
  return std::ranges::any_of(machine.addresses, [&](const InterfaceAddress& present) {
    if (present.address == address) return true;
    return !is_loopback(machine, present.link_index) && netlink::Prefix{present.address, present.prefix_length}.contains(address);
  });
}

/// sysctl(8) takes names of interfaces with a dot only in the slashed form.
std::string set_command(const std::string& name, const std::string& value) { return fmt::format("sysctl -w {}={}", name, value); }

}  // namespace

Machine look_at_machine() {
  Machine machine;
  machine.kernel = KernelVersion::running();
  const auto unreadable = [&](const std::string& what, const netlink::Error& error) {
    const bool rights = error.code == EPERM || error.code == EACCES;
    machine.unreadable.push_back({Severity::kWarning, fmt::format("{} cannot be looked at: {}", what, error.message()),
                                  rights ? "run the check as root (sudo wsl4ctl check)" : "see the message"});
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
      findings.push_back({Severity::kWarning, fmt::format("{} {}", running, what),
                          fmt::format("nothing has to be done; kernel {} and newer have it", since)});
  };
  lacks(features.time_wait_reuse, "6.5", "does not reuse SNAT ports in TIME_WAIT: a closed flow can hold its port for 120 s");
  lacks(features.owned_tables, "6.9", "has no owned and persistent tables: a foreign flush is repaired, not refused");
  lacks(features.steady_lookups, "6.17", "can miss a map element while a change is committed: each lookup is made twice");
}

void judge_sysctls(const config::Config& config, Sysctls& sysctls, std::vector<Finding>& findings) {
  for (const auto& [name, value] : wanted_sysctls(config)) {
    const auto present = sysctls.read(name);
    if (!present) {
      const bool conntrack = name.starts_with("net/netfilter/");
      findings.push_back(
          {Severity::kError, fmt::format("{} is not there", name), conntrack ? "modprobe nf_conntrack" : "use a kernel with IPv6"});
    } else if (*present != value) {
      findings.push_back({Severity::kWarning, fmt::format("{} is {}, not {}; wsl4d sets it when it starts", name, *present, value),
                          set_command(name, value)});
    }
  }
}

void judge_reverse_path(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings) {
  if (!uses(config, Family::kIpv4)) return;
  const auto all = sysctls.read("net/ipv4/conf/all/rp_filter");
  for (const auto& link : machine.links) {
    if (link.loopback) continue;
    const auto name = "net/ipv4/conf/" + link.name + "/rp_filter";
    const auto own = sysctls.read(name);
    // The kernel takes the higher of the two (ip-sysctl: rp_filter); 1 is strict, 2 is loose.
    if (!own || std::max(*own, all.value_or("0")) != "1") continue;
    findings.push_back(
        {Severity::kWarning,
         fmt::format("strict reverse path filter on {}: packets of backends that come by another way than back are dropped",
                     link.name),
         set_command(name, "2")});
  }
}

void judge_interfaces(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (machine.links.empty()) return;
  std::set<std::string> missing;
  for (const auto& wanted : addresses::wanted_addresses(config)) {
    if (!wanted.interface.empty()) {
      if (!link_named(machine, wanted.interface) && missing.insert(wanted.interface).second)
        findings.push_back({Severity::kError, fmt::format("there is no interface {}", wanted.interface),
                            "correct `interface` (ip link shows the names)"});
    } else if (config.addresses.manage && !is_covered(machine, wanted.address)) {
      findings.push_back({Severity::kError, fmt::format("{}: no interface has a prefix that covers it", wanted.address.to_string()),
                          "set `interface` of its service or pool, or give an interface an address of that network"});
    }
  }
}

void judge_forward_chains(const Machine& machine, std::vector<Finding>& findings) {
  if (!machine.base_chains) return;
  for (const auto& chain : *machine.base_chains) {
    if (chain.point != netlink::nft::Hook::Point::kForward || !chain.policy_drop || chain.accepts_translated) continue;
    if (chain.table == dataplane::kTableName) continue;
    const bool iptables = chain.table == "filter" && chain.name == "FORWARD" && chain.family != "inet";
    const auto remedy =
        iptables
            ? fmt::format("{} -I FORWARD -m conntrack --ctstate DNAT -j ACCEPT", chain.family == "ip" ? "iptables" : "ip6tables")
            : fmt::format("nft insert rule {} {} {} ct status dnat accept", chain.family, chain.table, chain.name);
    findings.push_back({Severity::kWarning,
                        fmt::format("chain {} {} {} drops forwarded packets that none of its rules accepts{}", chain.family,
                                    chain.table, chain.name, iptables ? " (Docker sets this)" : ""),
                        remedy});
  }
}

std::vector<Finding> judge(const config::Config& config, const Machine& machine, Sysctls& sysctls) {
  auto findings = machine.unreadable;
  judge_kernel(machine, findings);
  judge_sysctls(config, sysctls, findings);
  judge_interfaces(config, machine, findings);
  judge_forward_chains(machine, findings);
  judge_reverse_path(config, machine, sysctls, findings);
  judge_table_sizes(config, machine, sysctls, findings);
  std::stable_partition(findings.begin(), findings.end(),
                        [](const Finding& finding) { return finding.severity == Severity::kError; });
  return findings;
}

std::vector<Finding> check_host(const config::Config& config, Sysctls& sysctls) {
  return judge(config, look_at_machine(), sysctls);
}

}  // namespace wsl4::host
