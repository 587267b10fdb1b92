// What else on this machine takes or drops our packets?
#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "daemon/addresses/placement.h"
#include "daemon/dataplane/plan.h"
#include "daemon/host/check.h"
#include "daemon/util/counted.h"

namespace wsl4::host {
namespace {

using netlink::IpAddress;
using netlink::Prefix;
using netlink::rtnl::Link;
using Severity = Finding::Severity;

/// The addresses that packets of this machine to itself go to.
class LocalAddresses {
 public:
  explicit LocalAddresses(const Machine& machine) {
    for (const auto& entry : machine.addresses) {
      const auto link = std::ranges::find(machine.links, entry.link_index, &Link::index);
      if (link != machine.links.end() && link->loopback) loopback_.push_back({entry.address, entry.prefix_length});
      single_.insert(entry.address);
    }
  }

  [[nodiscard]] bool contain(const IpAddress& address) const {
    return single_.contains(address) || std::ranges::any_of(loopback_, [&](const Prefix& one) { return one.contains(address); });
  }

 private:
  std::unordered_set<IpAddress> single_;
  std::vector<Prefix> loopback_;  // all of 127.0.0.0/8 is local, not only 127.0.0.1
};

}  // namespace

void judge_backends(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  const LocalAddresses local(machine);
  for (const auto& service : config.services) {
    for (const auto& backend : service.backends) {
      if (!local.contain(backend.address.address)) continue;
      findings.push_back(
          {Severity::kError,
           fmt::format("service {}, backend {}: {} is an address of this machine: its flows would bypass SNAT and counts",
                       service.name, backend.name, backend.address.address.to_string()),
           "use a backend on another machine, or in a network namespace of its own"});
    }
  }
}

/// They wait for their address, which may be one that moves.
void judge_listeners(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  if (machine.links.empty()) return;
  const LocalAddresses local(machine);
  const auto moving = addresses::wanted_addresses(config);
  const auto look = [&](const char* setting, const std::optional<netlink::Endpoint>& listen) {
    if (!listen || listen->address.is_unspecified() || local.contain(listen->address)) return;
    if (std::ranges::find(moving, listen->address, &addresses::WantedAddress::address) != moving.end()) return;
    findings.push_back(
        {Severity::kWarning,
         fmt::format("{}: {} is no address of this machine, and none that wsl4 puts there", setting, listen->address.to_string()),
         "correct it, or give an interface that address"});
  };
  look("control.listen", config.control.listen);
  look("control.register", config.control.register_listen);
}

void judge_tokens(const Machine& machine, std::vector<Finding>& findings) {
  for (const auto& stranger : machine.strangers)
    findings.push_back(
        {Severity::kWarning, "control.token_file: " + stranger, "correct the name, or define the service; nobody can join it"});
}

/// A listener on 0.0.0.0 or [::] is in nobody's way: it keeps its other addresses, and what it has at the VIP stands under the VIP.
void judge_local_sockets(const config::Config& config, const Machine& machine, std::vector<Finding>& findings) {
  for (const auto& service : config.services) {
    for (const auto& listen : service.listen) {
      const auto place = machine.sockets.find(listen);
      if (service.protocol != netlink::Protocol::kTcp || place == machine.sockets.end()) continue;
      const auto& [listens, connections] = place->second;
      findings.push_back({Severity::kWarning,
                          fmt::format("service {}: a program on this machine {} {} and has {} there: when wsl4d starts, new ones "
                                      "pass it by, and these are reset unless the kernel tracks them already",
                                      service.name, listens ? "listens on" : "uses", listen.to_string(),
                                      util::counted(connections, "connection", "connections")),
                          fmt::format("stop it first; ss -tnap sport = :{} shows it", listen.port)});
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

}  // namespace wsl4::host
