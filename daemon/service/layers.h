// One service's run-time changes over what the file says of it. For what lays something over the file. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/service/overlay.h"

namespace wsl4::service {

/// Null if there is none of that name, or none that listens there.
[[nodiscard]] const config::Service* find_service(const config::Config& config, const std::string& name);
[[nodiscard]] const config::Service* find_listening(const config::Config& config, netlink::Protocol protocol,
                                                    const netlink::Endpoint& vip);
[[nodiscard]] const config::Backend* find_backend(const config::Service& service, const std::string& name);

/// `own` with its changes laid over.
[[nodiscard]] LaidService lay_over(const config::Config& file, const config::Service& own, const ChangedService& changes);

/// Why `added` cannot be a backend beside those that `service` has; nothing if it can.
[[nodiscard]] std::optional<ChangeError> find_clash(const config::Config& file, const config::Service& service,
                                                    const config::Backend& added);

/// "chat/b1: WHY; its run-time changes have no effect (…)"
[[nodiscard]] std::string dormant_text(const std::string& service, const std::string& backend, const std::string& why);

}  // namespace wsl4::service
