// What each command does. All return the exit status.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "daemon/ctl/options.h"
#include "daemon/ctl/run.h"

namespace wsl4::ctl {

// Over the control socket.
int status(const Options& options, const Console& console);
int reload(const Options& options, const Console& console);
int flows(const Options& options, const Console& console);
int events(const Options& options, const Console& console);
int change_backend(const Options& options, const Console& console);  // all of `backend`
int rebalance(const Options& options, const Console& console);
int pick(const Options& options, const Console& console);
int failover(const Options& options, const Console& console);
int set_role(const Options& options, const Console& console);  // promote, demote

// On this machine.
int check(const Options& options, const Console& console, const Machine& machine);
int keygen(const Options& options, const Console& console);
int purge(const Options& options, const Console& console, const Machine& machine);

/// "wsl4ctl: WHY" on standard error; returns `exit_status`. Where the console is for programs, {"error": `problem`} in a line on
/// standard output too, by default with WHY as its title.
int fail(const Console& console, int exit_status, std::string_view why, boost::json::object problem = {});
/// The line alone, where a document has told it.
int complain(const Console& console, int exit_status, std::string_view why);

/// As --json shows it, with a newline at the end.
[[nodiscard]] std::string json_text(const boost::json::object& document);

}  // namespace wsl4::ctl
