// Which refused connections are told, not only counted: each reason at most once a minute, so that whoever knocks fills no log.
// Pure.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "daemon/peer/refusal.h"

namespace wsl4::peer {

class RefusalPace {
 public:
  static constexpr std::chrono::minutes kPause{1};
  using Time = std::chrono::steady_clock::time_point;

  [[nodiscard]] bool is_due(Refusal why, Time now) {
    if (why == Refusal::kDuplicate || why == Refusal::kClosed) return false;  // both happen between two sound nodes
    auto& told = told_.at(static_cast<std::size_t>(why));
    if (told && now - *told < kPause) return false;
    told = now;
    return true;
  }

 private:
  std::array<std::optional<Time>, kRefusals> told_;
};

}  // namespace wsl4::peer
