#include "daemon/health/suspicion.h"

#include <utility>

namespace wsl4::health {

std::vector<service::BackendId> Suspicion::look(const std::map<service::BackendId, Openings>& openings) {
  std::vector<service::BackendId> suspicious;
  const auto before = std::exchange(seen_, {});
  for (const auto& [id, now] : openings) {
    Seen seen{now, 0};
    if (const auto known = before.find(id); known != before.end()) {
      const auto& [last, unanswered] = known->second;
      // Counters begin anew with the table.
      const auto sent = now.sent >= last.sent ? now.sent - last.sent : 0;
      if (now.established == last.established) seen.unanswered = unanswered + sent;
      if (sent != 0 && seen.unanswered >= kUnanswered) suspicious.push_back(id);
    }
    seen_.emplace(id, seen);
  }
  return suspicious;
}

}  // namespace wsl4::health
