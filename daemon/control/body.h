// Bodies of requests as values. What is no JSON object is a 400; members that are unknown, missing or wrong a 422 that names each.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/control/node.h"

namespace wsl4::control {

inline constexpr std::size_t kMaxBodyDepth = 4;  // of nested arrays and objects

/// An AddBackend of address (required), weight, max_connections, public.
[[nodiscard]] Outcome<service::BackendChange> parse_add(const std::string& body);
/// An EditBackend of weight, state, evict, max_connections, connections.
[[nodiscard]] Outcome<service::BackendChange> parse_edit(const std::string& body);
/// rate (required): flows per second.
[[nodiscard]] Outcome<std::uint32_t> parse_rebalance(const std::string& body);
/// force, true or false; false if it is not there, or the body is empty.
[[nodiscard]] Outcome<bool> parse_failover(const std::string& body);
/// role (required): true for active, false for standby.
[[nodiscard]] Outcome<bool> parse_role(const std::string& body);

/// As a 404, 409 or 422.
[[nodiscard]] Refusal to_refusal(service::ChangeError error);

}  // namespace wsl4::control
