#include "daemon/service/standing.h"

namespace wsl4::service {

void apply_standing(ServiceState& service, const Marks& marks, const Verdicts& verdicts) {
  for (auto& backend : service.backends) {
    const std::pair key{service.name, backend.address};
    if (const auto mark = marks.find(key); mark != marks.end() && mark->second.standing != Mark::Standing::kServing) {
      backend.share_weight = 0;
      backend.evict = mark->second.evict;
    }
    if (const auto verdict = verdicts.find(key); verdict != verdicts.end()) {
      if (verdict->second.down) backend.share_weight = 0;
      backend.dead_sources = verdict->second.dead_sources;
    }
  }
}

}  // namespace wsl4::service
