#include "daemon/peer/refusal_log.h"

#include "daemon/util/log.h"

namespace wsl4::peer {

namespace {
constexpr std::chrono::minutes kPause{1};
}

void RefusalLog::note(Refusal why, Time now) {
  // Both happen between two sound nodes.
  if (why == Refusal::kDuplicate || why == Refusal::kClosed) return log::debug("peer-refused", "reason={}", to_string(why));
  auto& last = last_.at(static_cast<std::size_t>(why));
  if (last && now - *last < kPause) return;
  last = now;
  log::warning("peer-refused", "reason={}", to_string(why));
}

}  // namespace wsl4::peer
