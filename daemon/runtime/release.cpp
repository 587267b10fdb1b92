#include "daemon/runtime/release.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/addresses/manager.h"
#include "daemon/config/load.h"
#include "daemon/pair/pair_file.h"

namespace wsl4::runtime {

tl::expected<std::string, std::string> release(const std::string& config_path) {
  const auto config = config::load(config_path);
  const pair::PairFile file(config ? config->node.state_dir : config::Node{}.state_dir);
  const auto state = file.load();
  if (!state) return tl::make_unexpected(state.error());
  if (!state->peer_synced) return "no synced peer can take over: the kernel goes on forwarding here";
  const auto rtnl = netlink::rtnl::open_rtnl();
  if (!rtnl) return tl::make_unexpected(rtnl.error().message());
  const auto withdrawn = addresses::remove_ours(**rtnl);
  if (!withdrawn.problems.empty()) return tl::make_unexpected(fmt::format("{}", fmt::join(withdrawn.problems, "; ")));
  return fmt::format("{} addresses withdrawn: the synced peer takes over", withdrawn.removed.size());
}

}  // namespace wsl4::runtime
