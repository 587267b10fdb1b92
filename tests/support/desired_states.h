// Desired states for tests: short to write, and random ones that are as valid as a checked configuration.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/service/state_change.h"

namespace wsl4::test {

[[nodiscard]] netlink::Endpoint endpoint(std::string_view text);
[[nodiscard]] netlink::IpAddress address(std::string_view text);

/// Backends get the numbers that follow `first_id`, weight 100 and the names b1, b2…
[[nodiscard]] service::ServiceState make_service(std::string name, const std::vector<std::string>& listen,
                                                 const std::vector<std::string>& backends, service::BackendId first_id = 1);
[[nodiscard]] service::PoolState make_pool(std::string name, const std::vector<std::string>& addresses);

/// Pool "main" of 198.18.1.1-4 and 2001:db8:1::1-2; service "chat" (TCP, both families, two backends each) and "dns" (UDP, mode
/// dnat).
[[nodiscard]] service::DesiredState two_services();

/// `count` TCP services of four backends each, over one pool of 16 addresses.
[[nodiscard]] service::DesiredState many_services(std::size_t count);

/// Drawn from few names, addresses and settings, so that two draws have much in common.
[[nodiscard]] service::DesiredState random_state(std::mt19937& random);

/// What makes `to` of `from`; what holds for all services is equal in both.
[[nodiscard]] service::StateChange difference(const service::DesiredState& from, const service::DesiredState& to);

}  // namespace wsl4::test
