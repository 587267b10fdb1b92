// When a backend that gets no new flows will be empty. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace wsl4::balance {

/// A backend that began to empty then, with so many flows.
struct Emptying {
  using Time = std::chrono::steady_clock::time_point;
  Time since;
  std::uint64_t flows = 0;

  /// If the `left` ones go as fast as those that have gone. None as long as none has.
  [[nodiscard]] std::optional<std::chrono::seconds> empty_in(std::uint64_t left, Time now) const {
    if (left >= flows) return std::nullopt;
    const std::chrono::duration<double> passed = now - since;
    return std::chrono::duration_cast<std::chrono::seconds>(passed * left / (flows - left));
  }
};

}  // namespace wsl4::balance
