// Which backends look as if they did not answer, by the flows that the kernel sends them: reason enough for an early check, no
// verdict. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "daemon/service/desired_state.h"

namespace wsl4::health {

/// Of one backend, since some moment that stays the same.
struct Openings {
  std::uint64_t sent = 0;         // new flows that were given to it
  std::uint64_t established = 0;  // flows that became established
};

class Suspicion {
 public:
  /// So many flows begun without one established, from one look to the next, are suspicious: fewer may just be on their way, and a
  /// client that goes away in the middle is none of the backend's.
  static constexpr std::uint64_t kUnanswered = 3;

  /// To be asked about once a second. Returns those that are suspicious now.
  [[nodiscard]] std::vector<service::BackendId> look(const std::map<service::BackendId, Openings>& openings);

 private:
  struct Seen {
    Openings last;
    std::uint64_t unanswered = 0;  // sent since the last one was established
  };
  std::map<service::BackendId, Seen> seen_;
};

}  // namespace wsl4::health
