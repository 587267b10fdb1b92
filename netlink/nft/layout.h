// How keys and data lie in registers and sets: each field begins at a multiple of 4 bytes (kernel NFT_REG32_SIZE). Pure.
#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

#include "netlink/nft/ruleset.h"

namespace wsl4::netlink::nft {

[[nodiscard]] constexpr std::size_t padded_size(Type type) { return type == Type::kIpv6Addr ? 16 : 4; }

[[nodiscard]] inline std::size_t padded_size(const std::vector<Type>& types) {
  return std::accumulate(types.begin(), types.end(), std::size_t{0},
                         [](std::size_t sum, Type type) { return sum + padded_size(type); });
}

/// What one element of the map holds.
[[nodiscard]] inline std::size_t padded_data_size(const Set& set) { return padded_size(set.data) * (set.data_ranges ? 2 : 1); }

}  // namespace wsl4::netlink::nft
