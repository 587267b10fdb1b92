// Are the kernel's tables large enough for what the configuration can carry?
#include <algorithm>
#include <bit>
#include <charconv>
#include <unordered_set>

#include <fmt/format.h>

#include "daemon/addresses/placement.h"
#include "daemon/host/check.h"

namespace wsl4::host {
namespace {

using netlink::Family;
using netlink::rtnl::NeighbourState;

/// What the pools could carry beyond this is no reason for a larger table: 4 million flows take the kernel 1.5 GB.
constexpr std::uint64_t kManyFlows = 4'000'000;
/// Flows per bucket up to which look-ups are quick; each flow is in the table twice (kernel nf_conntrack_core.c refuses chains
/// above 50).
constexpr std::uint64_t kFlowsPerBucket = 4;
/// Kernel memory of one entry.
constexpr std::uint64_t kEntryBytes = 400;
/// Processor time that the daemon spends on a SYN that is never answered: it is seen whenever the table is read, and told of where
/// ports are dealt in blocks (`tests/bench/run flood`).
constexpr int kMicrosecondsPerSyn = 25;

std::optional<std::uint64_t> read_number(Sysctls& sysctls, const std::string& name) {
  const auto text = sysctls.read(name);
  std::uint64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{}) return std::nullopt;
  return number;
}

/// Ports times pool addresses times backends, over all services of mode snat. Services may share a pool and a backend, which this
/// counts twice.
std::uint64_t capacity(const config::Config& config) {
  std::uint64_t flows = 0;
  for (const auto& service : config.services) {
    const auto pool = std::ranges::find(config.pools, service.pool, &config::Pool::name);
    if (service.mode != config::Mode::kSnat || pool == config.pools.end()) continue;
    const std::uint64_t ports = pool->port_max - pool->port_min + 1U;
    for (const auto& backend : service.backends)
      flows += ports * static_cast<std::uint64_t>(
                           std::ranges::count(pool->addresses, backend.address.address.family(), &netlink::IpAddress::family));
  }
  return flows;
}

/// What the machine knows, gateways and clients among them, and the backends on its own networks. Entries that somebody configured
/// are not limited (kernel neighbour.c, neigh_update_gc_list).
std::size_t neighbours(const config::Config& config, const Machine& machine, Family family) {
  std::unordered_set<netlink::IpAddress> known;
  for (const auto& neighbour : machine.neighbours) {
    if (neighbour.address.family() == family && neighbour.state != NeighbourState::kPermanent) known.insert(neighbour.address);
  }
  const addresses::Topology topology(machine.links, machine.addresses);
  for (const auto& service : config.services) {
    for (const auto& backend : service.backends) {
      const auto& address = backend.address.address;
      if (address.family() == family && topology.link_towards(address) != nullptr) known.insert(address);
    }
  }
  return known.size();
}

void judge_conntrack(const config::Config& config, Sysctls& sysctls, std::vector<Finding>& findings) {
  const auto wanted = std::min(capacity(config), kManyFlows);
  const auto max = read_number(sysctls, "net/netfilter/nf_conntrack_max");
  const auto buckets = read_number(sysctls, "net/netfilter/nf_conntrack_buckets");
  if (max && *max < wanted)
    findings.push_back(
        {Finding::Severity::kWarning,
         fmt::format("nf_conntrack_max is {}: the kernel tracks fewer flows than the pools can carry ({})", *max, capacity(config)),
         fmt::format("sysctl -w net.netfilter.nf_conntrack_max={}", wanted)});
  const auto flows = std::max(wanted, std::min(max.value_or(0), kManyFlows));
  if (buckets && *buckets * kFlowsPerBucket < flows)
    findings.push_back(
        {Finding::Severity::kWarning, fmt::format("nf_conntrack_buckets is {}: too few for {} flows", *buckets, flows),
         fmt::format("echo {} > /sys/module/nf_conntrack/parameters/hashsize", std::bit_ceil(flows / kFlowsPerBucket))});
}

void judge_neighbours(const config::Config& config, const Machine& machine, Family family, Sysctls& sysctls,
                      std::vector<Finding>& findings) {
  const std::string name = family == Family::kIpv4 ? "net/ipv4/neigh/default/gc_thresh3" : "net/ipv6/neigh/default/gc_thresh3";
  const auto limit = read_number(sysctls, name);  // only the initial network namespace has it
  const auto wanted = neighbours(config, machine, family);
  if (!limit || *limit >= wanted) return;
  findings.push_back(
      {Finding::Severity::kWarning,
       fmt::format("{} is {}: too few for the {} neighbours of this machine, backends among them", name, *limit, wanted),
       fmt::format("sysctl -w {}={}", name, std::bit_ceil(2 * wanted))});
}

}  // namespace

void judge_table_sizes(const config::Config& config, const Machine& machine, Sysctls& sysctls, std::vector<Finding>& findings) {
  judge_conntrack(config, sysctls, findings);
  for (const auto family : {Family::kIpv4, Family::kIpv6}) judge_neighbours(config, machine, family, sysctls, findings);
}

std::optional<Finding> flood_cost(Sysctls& sysctls) {
  const auto max = read_number(sysctls, "net/netfilter/nf_conntrack_max");
  if (!max) return std::nullopt;
  const auto unanswered = read_number(sysctls, "net/netfilter/nf_conntrack_tcp_timeout_syn_sent");
  const auto answered = read_number(sysctls, "net/netfilter/nf_conntrack_tcp_timeout_syn_recv");
  return Finding{
      Finding::Severity::kNote,
      fmt::format("a flood of SYNs can take all {} entries of connection tracking, {} MiB of kernel memory; each SYN has one "
                  "for at most {} s, and costs wsl4d at most some {} microseconds of processor time",
                  *max, (*max * kEntryBytes) >> 20U, std::max(unanswered.value_or(0), answered.value_or(0)), kMicrosecondsPerSyn),
      "nothing has to be done; lower nf_conntrack_tcp_timeout_syn_sent and _syn_recv let the entries go sooner"};
}

}  // namespace wsl4::host
