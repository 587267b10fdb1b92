// Tells of refused connections in the log, each reason at most once a minute: whoever knocks does not fill the log.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "daemon/peer/refusal.h"

namespace wsl4::peer {

class RefusalLog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  void note(Refusal why, Time now);

 private:
  std::array<std::optional<Time>, kRefusals> last_;
};

}  // namespace wsl4::peer
