#include "daemon/runtime/purge.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "daemon/addresses/manager.h"
#include "daemon/config/load.h"
#include "daemon/dataplane/plan.h"
#include "daemon/host/host.h"
#include "daemon/runtime/state_store.h"
#include "daemon/service/desired_state.h"
#include "daemon/util/file.h"
#include "netlink/conntrack/conntrack.h"
#include "netlink/nft/nftables.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::runtime {

namespace {

namespace nft = netlink::nft;
using netlink::conntrack::Flow;

/// Deletes this many flows at a time.
constexpr std::size_t kFlowBatch = 1024;

netlink::Result<bool> remove_table() {
  auto nftables = nft::KernelNftables::open();
  if (!nftables) return tl::make_unexpected(nftables.error());
  const auto table = (*nftables)->read_table(dataplane::kTableName);
  if (!table) return tl::make_unexpected(table.error());
  if (!*table) return false;
  nft::Transaction transaction(dataplane::kTableName);
  transaction.add(nft::AddTable{(*table)->comment, (*table)->owned});  // an owned table is taken over first
  transaction.add(nft::DeleteTable{});
  const auto removed = (*nftables)->commit(transaction);
  if (!removed) return tl::make_unexpected(removed.error());
  return true;
}

netlink::Result<std::size_t> remove_flows(const service::MarkLayout& mark) {
  auto conntrack = netlink::conntrack::KernelConntrack::open();
  if (!conntrack) return tl::make_unexpected(conntrack.error());
  auto dump = (*conntrack)->dump({});
  if (!dump) return tl::make_unexpected(dump.error());
  std::vector<Flow> flows;
  for (;;) {
    const auto more = (*dump)->step([&](const Flow& flow) {
      if (mark.to_id(flow.mark) != 0) flows.push_back(flow);
    });
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) break;
  }
  std::size_t removed = 0;
  for (std::size_t first = 0; first < flows.size(); first += kFlowBatch) {
    const auto erased = (*conntrack)->erase(std::span(flows).subspan(first, std::min(kFlowBatch, flows.size() - first)));
    if (!erased) return tl::make_unexpected(erased.error());
    removed += *erased;
  }
  return removed;
}

/// The defaults where there is no file; a broken one may name another state directory and other bits of the mark.
tl::expected<config::Node, std::string> node_of(const std::string& config_path) {
  std::error_code unknown;
  if (!std::filesystem::exists(config_path, unknown) && !unknown) return config::Node{};
  const auto loaded = config::load(config_path);
  if (loaded) return loaded->node;
  return tl::make_unexpected(
      fmt::format("{}; nothing was removed, since only a whole file says what is to be: mend it, or remove "
                  "it if it had the defaults of [node]",
                  loaded.error().front().message()));
}

bool may_be_there(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown) || unknown;
}

bool may_have_table() {
  auto nftables = nft::KernelNftables::open();
  if (!nftables) return true;
  const auto table = (*nftables)->read_table(dataplane::kTableName);
  return !table || *table;
}

}  // namespace

tl::expected<PurgeReport, PurgeRefusal> purge(const std::string& config_path, bool dry_run) {
  const auto node = node_of(config_path);
  const auto directory = node ? node->state_dir : config::find_state_dir(config_path).value_or(config::Node{}.state_dir);
  const StateStore store(directory);
  const bool has_table = may_have_table();
  const bool here = has_table || may_be_there(store.path());  // a daemon has run since the last purge
  if (!node && here) return tl::make_unexpected(PurgeRefusal{node.error(), true});
  const auto state = store.load(has_table);  // a table does not outlive a boot
  if (!state) return tl::make_unexpected(PurgeRefusal{state.error()});
  if (dry_run) return PurgeReport{};
  const auto lock = util::lock_folder(directory);  // the daemon may have another socket than the one that was asked
  if (lock && !*lock)
    return tl::make_unexpected(PurgeRefusal{fmt::format("a daemon runs with {}: stop it first (systemctl stop wsl4d)", directory)});

  PurgeReport report;
  // The addresses first: a packet to one of them must not meet the bare machine while it still answers for them.
  if (const auto rtnl = netlink::rtnl::open_rtnl(); !rtnl) {
    report.failures.push_back("addresses: " + rtnl.error().message());
  } else {
    auto addresses = addresses::remove_ours(**rtnl);
    report.addresses = addresses.removed.size();
    report.failures = std::move(addresses.problems);
    report.links = addresses::remove_virtual_links(**rtnl, report.failures);
  }
  const auto table = remove_table();
  if (table) {
    report.table_removed = *table;
  } else {
    report.table_there = true;
    report.failures.push_back("table inet wsl4: " + table.error().message());
  }
  if (here) {
    const auto flows = remove_flows(service::MarkLayout(node->ct_mark_mask));
    if (flows)
      report.flows = *flows;
    else
      report.failures.push_back("flows: " + flows.error().message());
  }

  const auto sysctls = host::kernel_sysctls();
  auto restored = host::restore_sysctls(*sysctls, state->sysctls);
  report.sysctls = restored.restored;
  report.left = std::move(restored.left);
  report.failures.insert(report.failures.end(), restored.failures.begin(), restored.failures.end());
  if (report.failures.empty()) {
    if (const auto removed = store.remove(); !removed) report.failures.push_back(removed.error());
  }
  return report;
}

}  // namespace wsl4::runtime
