// What may be changed of a backend at run time, as values, and what is allowed in them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/schema.h"

namespace wsl4::service {

enum class AdminState : std::uint8_t {
  kEnabled,
  kDraining,  // no new flows; old ones live on
  kDisabled,  // the same, and no health checks
};

/// As in JSON: "enabled", "draining", "disabled".
[[nodiscard]] std::string_view to_string(AdminState state);

/// A backend that the service does not have yet. Members mean what they mean in the file.
struct AddBackend {
  netlink::Endpoint address;
  int weight = 100;
  std::uint64_t max_connections = 0;
  std::string public_address;
};

/// Of a backend that there is. What is not given stays as it is.
struct EditBackend {
  std::optional<int> weight;
  std::optional<std::uint64_t> max_connections;
  std::optional<AdminState> state;           // ends evicting, unless `evict` is given with it
  std::optional<std::uint32_t> evict;        // flows to reset per second while it drains or is disabled; 0: none
  std::optional<std::uint64_t> connections;  // as the backend itself counts, with clients that connect to it directly
};

/// Drained, then forgotten.
struct RemoveBackend {};
/// As the file has it again.
struct ResetBackend {};

using BackendChange = std::variant<AddBackend, EditBackend, RemoveBackend, ResetBackend>;

/// Flows per second that evicting or rebalancing may be asked for.
inline constexpr std::uint32_t kMaxRate = 1'000'000;

/// What a member may hold, by its name in JSON: a backend's settings in the file, and state, evict, connections, rate, removed (an
/// address). Null for other names.
[[nodiscard]] const config::Setting* member_setting(std::string_view member);

/// "weight: 5000 is out of range (0-1000)"
[[nodiscard]] std::string member_problem(std::string_view member, const config::Setting& setting, std::string_view what);

/// What is wrong with a change whatever there is: names, ranges, members that do not go together. Each begins with its member.
[[nodiscard]] std::vector<std::string> problems_of(const std::string& backend, const BackendChange& change);

}  // namespace wsl4::service
