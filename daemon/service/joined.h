// Backends that the file does not name: those that have registered, and those that DNS knows. They are laid into the configuration
// as if the file had them, so that nothing behind it knows a difference; what was changed at run time lies over all of them. Pure.
//
// Where they meet the file wins, then what has registered, then DNS. A backend is the same one if its address is: one that DNS has
// and the file too is the file's. One from DNS whose name is taken is called as its address.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/service/leases.h"

namespace wsl4::service {

/// By service. Named as DNS has them, with the weights to use.
using Discovered = std::map<std::string, std::vector<config::Backend>>;

enum class Origin : std::uint8_t { kRegistered, kDiscovered };
using Origins = std::map<std::pair<std::string, netlink::Endpoint>, Origin>;  // by service and address

struct Joined {
  config::Config config;
  Origins origins;                    // of the backends that are not the file's
  std::vector<std::string> left_out;  // a sentence for each one that does not fit
};

/// Services that have gone from the file, or lists of services without discovery, have no effect.
[[nodiscard]] Joined lay_joined(const config::Config& file, const Leases& leases, const Discovered& discovered);

[[nodiscard]] config::Backend to_backend(const std::string& name, const Registration& registration);

}  // namespace wsl4::service
