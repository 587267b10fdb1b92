// The pools' part of validate(). Pure.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "daemon/config/reader.h"

namespace wsl4::config {

/// Which item of which pool an address comes from.
struct PoolPlace {
  std::size_t pool = 0, item = 0;
  friend bool operator==(const PoolPlace&, const PoolPlace&) = default;
};
using PoolAddresses = std::unordered_map<netlink::IpAddress, PoolPlace>;

/// Expands the ranges into the pools' addresses and tells pools of equal name, too large ones, and addresses that occur twice.
[[nodiscard]] PoolAddresses expand_pools(Draft& draft, Findings& findings);

}  // namespace wsl4::config
