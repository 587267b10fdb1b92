// Where a service's backends come from: its setting `discovery`, and the families of its listen addresses. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::discovery {

struct Source {
  std::string name;                   // fully qualified (no search domains are tried), lower case, without the final dot
  std::optional<std::uint16_t> port;  // of all addresses of `name`; none: SRV records of `name` say hosts and ports
  friend bool operator==(const Source&, const Source&) = default;
};

/// "dns:NAME" or "dns:HOST:PORT", as the configuration takes it.
[[nodiscard]] tl::expected<Source, std::string> parse_source(std::string_view text);

/// As DNS compares names: lower case, without the final dot.
[[nodiscard]] std::string plain_name(std::string_view name);

/// The families that are asked for: addresses of others would serve no listen address.
struct Families {
  bool ipv4 = false, ipv6 = false;
  friend bool operator==(const Families&, const Families&) = default;
};
[[nodiscard]] Families families_of(const std::vector<netlink::Endpoint>& listen);

}  // namespace wsl4::discovery
