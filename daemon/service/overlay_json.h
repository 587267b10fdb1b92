// The file of run-time changes in the state directory: {"version": 1, "services": {"chat": {"erlang-1": {"state": "draining"}}},
// "changed_by": {"lb-a": 1764208800000}}, the latter as VersionVector has it.
// A backend has the members "added" (an object as PUT takes it) and "weight", "max_connections", "state", "evict" (as PATCH), or
// "removed" (its address) and "evict". Pure.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "daemon/service/overlay.h"

namespace wsl4::service {

[[nodiscard]] std::string to_text(const Overlay& overlay);

/// `file` is its name for messages. The error says what is broken, and what to do.
[[nodiscard]] tl::expected<Overlay, std::string> parse_overlay(std::string_view text, const std::string& file);

}  // namespace wsl4::service
