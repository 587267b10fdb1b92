// What a node says of itself when it joins a service. Values are held to the rules of [[service.backend]] in the configuration.
// Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::service {

struct Registration {
  netlink::Endpoint address;
  std::chrono::milliseconds ttl{0};  // 5 s - 1 h; without a renewal for so long it lapses
  int weight = 100;                  // 0-1000
  std::uint64_t max_connections = 0;
  std::string public_address;
  friend bool operator==(const Registration&, const Registration&) = default;
};

/// {"address": "198.51.100.104:8888", "ttl": "30s", "weight": 100, "max_connections": 0, "public": "…"}: the first two are
/// required, other members are errors. The error has every problem, as "weight: what is wrong (what is allowed)".
[[nodiscard]] tl::expected<Registration, std::vector<std::string>> parse_registration(std::string_view body);
[[nodiscard]] tl::expected<Registration, std::vector<std::string>> read_registration(const boost::json::object& members);
[[nodiscard]] boost::json::object to_json(const Registration& registration);

/// The name that a backend may have; the error says what is wrong (what is allowed).
[[nodiscard]] tl::expected<void, std::string> check_backend_name(const std::string& name);

}  // namespace wsl4::service
