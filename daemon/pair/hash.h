// The hash by which the two nodes compare texts; part of the wire format.
#pragma once

#include <cstdint>
#include <string_view>

namespace wsl4::pair {

/// XXH3, 64 bits: the same on every machine.
[[nodiscard]] std::uint64_t hash(std::string_view text);

}  // namespace wsl4::pair
