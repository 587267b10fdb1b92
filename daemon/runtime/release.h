// After a crash: gives up the addresses where a synced peer takes over. Needs no valid configuration, since a broken one may be why
// the daemon does not run: of the file only node.state_dir counts, which $STATE_DIRECTORY stands in for.
#pragma once

#include <string>

#include <tl/expected.hpp>

namespace wsl4::runtime {

/// Under external election the peer takes the role at somebody's word only, so they stay while systemd starts a daemon again that
/// has crashed. Addresses of a daemon that lives are its own: one that uses the same state directory keeps them.
/// A line for the log: what was done, and why. The error says what could not be done.
[[nodiscard]] tl::expected<std::string, std::string> release(const std::string& config_path);

}  // namespace wsl4::runtime
