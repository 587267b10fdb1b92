// What the daemon's user may do with the files that the configuration names.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "daemon/host/check.h"
#include "daemon/peer/key_file.h"
#include "daemon/util/as_user.h"

namespace wsl4::host {
namespace {

using Severity = Finding::Severity;

/// 0, or why the daemon's user may not.
int refusal_of(const std::string& path, int mode) {
  return util::as_user(util::kDaemonUser, [&] { return ::access(path.c_str(), mode) == 0 ? 0 : errno; });
}

std::string message_of(int code) { return std::generic_category().message(code); }

void look_at_keys(const std::string& path, std::vector<Finding>& findings) {
  const auto keys = util::as_user(util::kDaemonUser, [&] { return peer::load_keys(path); });
  if (keys) return;
  const auto remedy =
      refusal_of(path, F_OK) == ENOENT
          ? fmt::format("make it on one node (wsl4ctl keygen {0}) and copy it to the other one (chown wsl4: {0}; chmod 0600 {0})",
                        path)
          : "correct it; both nodes need the same keys";
  for (const auto& problem : keys.error()) findings.push_back({Severity::kError, "ha.key_file: " + problem, remedy});
}

void look_at_hook(const char* setting, const std::string& path, std::vector<Finding>& findings) {
  if (path.empty()) return;
  const int refused = refusal_of(path, X_OK);
  struct stat status {};
  const bool is_folder = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  if (refused == 0 && !is_folder) return;
  findings.push_back({Severity::kError,
                      fmt::format("{}: user {} cannot run {}: {}", setting, util::kDaemonUser, path,
                                  is_folder ? "it is a folder" : message_of(refused)),
                      refused == EACCES ? fmt::format("chmod 0755 {}", path) : "correct the path"});
}

/// Of whoever asks: these may be read by the daemon's user and by nobody else.
void tell_unasked(const std::string& path, std::vector<Finding>& findings) {
  if (::access(path.c_str(), R_OK) == 0) return;
  findings.push_back(cannot_look_at(path, message_of(errno), true));
}

}  // namespace

std::vector<Finding> look_at_files(const config::Config& config) {
  std::vector<Finding> findings;
  const bool can_tell = util::can_act_as(util::kDaemonUser);
  if (!can_tell && config.control.register_listen)
    for (const auto& path : {config.control.token_file, config.control.tls_certificate, config.control.tls_key})
      tell_unasked(path, findings);
  if (!config.ha) return findings;
  if (!can_tell) {
    tell_unasked(config.ha->key_file, findings);
    return findings;
  }
  look_at_keys(config.ha->key_file, findings);
  look_at_hook("ha.hooks.active", config.ha->hook_active, findings);
  look_at_hook("ha.hooks.standby", config.ha->hook_standby, findings);
  return findings;
}

std::optional<Finding> unreadable_configuration(const std::string& path) {
  const int refused = util::can_act_as(util::kDaemonUser) ? refusal_of(path, R_OK) : 0;
  if (refused == 0) return std::nullopt;
  return Finding{Severity::kError, fmt::format("user {} cannot read {}: {}", util::kDaemonUser, path, message_of(refused)),
                 fmt::format("chgrp {0} {1}; chmod 0640 {1}", util::kDaemonUser, path)};
}

}  // namespace wsl4::host
