#include "daemon/health/all_down.h"

#include "daemon/health/pace.h"

namespace wsl4::health {

std::chrono::milliseconds one_interval(const config::Health& health) { return longest_pause(health.interval) + health.timeout; }

Fault fault_of(std::span<const Standing> backends, std::size_t fallen, std::chrono::milliseconds window, TimePoint now) {
  const auto& self = backends[fallen];
  bool together = backends.size() == 1;
  bool open = false;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    if (i == fallen) continue;
    const auto& other = backends[i];
    if (other.ok == false) {
      if (std::chrono::abs(other.failing_since - self.failing_since) > window) continue;  // at another time
      together = true;
      open |= other.state != State::kDown;
    } else if (other.last_ok > self.failing_since) {
      return Fault::kBackend;
    } else {
      open |= now <= self.down_since + window;
    }
  }
  if (open) return Fault::kOpen;
  return together ? Fault::kOurs : Fault::kBackend;
}

bool has_stayed_down(const Standing& fallen, TimePoint recovered, std::chrono::milliseconds window) {
  return fallen.ok == false && fallen.checked > recovered + window;
}

}  // namespace wsl4::health
