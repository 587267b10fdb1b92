// Numbers of things as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wsl4::util {

/// "2,000,000"
[[nodiscard]] std::string human_count(std::uint64_t count);
/// "1 flow", "2,000 flows"
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

}  // namespace wsl4::util
