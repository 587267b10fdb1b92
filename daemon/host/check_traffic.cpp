// What else on this machine takes or drops our packets?
#include <fmt/format.h>

#include "daemon/dataplane/plan.h"
#include "daemon/host/check.h"

namespace wsl4::host {

using Severity = Finding::Severity;

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

}  // namespace wsl4::host
