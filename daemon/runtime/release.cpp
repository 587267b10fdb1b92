#include "daemon/runtime/release.h"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/addresses/manager.h"
#include "daemon/config/load.h"
#include "daemon/pair/pair_file.h"
#include "daemon/util/counted.h"
#include "daemon/util/file.h"

namespace wsl4::runtime {

namespace {

/// $STATE_DIRECTORY: the unit's StateDirectory=, several with colons between them (systemd.exec(5)).
std::string state_dir(const std::string& config_path) {
  if (auto said = config::find_state_dir(config_path)) return *std::move(said);
  const char* const units = std::getenv("STATE_DIRECTORY");
  if (units == nullptr || *units == '\0') return config::Node{}.state_dir;
  const std::string_view all = units;
  return std::string(all.substr(0, all.find(':')));
}

/// $SERVICE_RESULT (systemd.exec(5)) says that it did not end by itself, so that the unit starts it again at once.
bool has_crashed() {
  const char* const result = std::getenv("SERVICE_RESULT");
  const std::string_view how = result == nullptr ? "" : result;
  return how == "signal" || how == "core-dump" || how == "watchdog";
}

}  // namespace

tl::expected<std::string, std::string> release(const std::string& config_path) {
  const auto directory = state_dir(config_path);
  const pair::PairFile file(directory);
  const auto state = file.load();
  if (!state) return tl::make_unexpected(state.error());
  if (!state->peer_synced) return "no synced peer can take over: the kernel goes on forwarding here";
  if (state->promoted && has_crashed())
    return "nobody but an operator's word makes the peer active: the kernel goes on forwarding here until the daemon is back";
  const auto lock = util::lock_folder(directory);
  if (!lock) return tl::make_unexpected(lock.error());
  if (!*lock) return fmt::format("a daemon runs with {}: nothing was changed", directory);
  const auto rtnl = netlink::rtnl::open_rtnl();
  if (!rtnl) return tl::make_unexpected(rtnl.error().message());
  auto withdrawn = addresses::remove_ours(**rtnl);
  addresses::remove_virtual_links(**rtnl, withdrawn.problems);
  if (!withdrawn.problems.empty()) return tl::make_unexpected(fmt::format("{}", fmt::join(withdrawn.problems, "; ")));
  return util::counted(withdrawn.removed.size(), "address", "addresses") + " withdrawn: the synced peer takes over";
}

}  // namespace wsl4::runtime
