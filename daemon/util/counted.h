// Numbers of things as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wsl4::util {

/// "2,000,000"
[[nodiscard]] std::string human_count(std::uint64_t count);
/// "1 flow", "2,000 flows"
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one, std::string_view many);
/// Each by its name, but not thousands: "a, b and 3 more".
[[nodiscard]] std::string listed(std::span<const std::string> names, std::size_t most = 10);

}  // namespace wsl4::util
