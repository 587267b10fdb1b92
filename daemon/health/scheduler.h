// Checks all backends of all services again and again, on the thread of one io_context: a timer for each backend, a coroutine only
// for each check that runs. At most kMaxChecks run at once; what is due then waits in line, first come first served. All calls, and
// those of the hooks, are made on that thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/config/config.h"
#include "daemon/health/backend_health.h"

namespace wsl4::health {

/// Each holds a descriptor; over TLS also about 50 kB.
inline constexpr std::size_t kMaxChecks = 256;

/// One backend of one service. Give none for health.type none, for UDP, or for a backend that is disabled.
struct Target {
  std::string service;
  netlink::Endpoint backend;
  config::Health health;
  Sources sources;  // mode snat: the pool's addresses of the backend's family. Else none
};

struct Status {
  std::string service;
  netlink::Endpoint backend;
  Standing standing;
  std::vector<IpAddress> excluded;   // sources that do not reach it; sorted
  std::optional<PeerVerdict> peers;  // of a standby: what the active found, which counts

  [[nodiscard]] State state() const {
    if (!peers) return standing.state;
    return peers->down ? State::kDown : State::kUp;
  }
  [[nodiscard]] const std::vector<IpAddress>& dead_sources() const { return peers ? peers->excluded : excluded; }
};

class Scheduler {
 public:
  struct Hooks {
    /// After each change of state, failure or excluded addresses. It may call the scheduler, but not destroy it.
    std::function<void(const Status&)> on_change;
    /// Whether there is room for a check from `source` to `backend` (contract: not above 95 % use).
    std::function<bool(const IpAddress& source, const netlink::Endpoint& backend)> usable;
  };

  Scheduler(boost::asio::io_context& io, Hooks hooks);
  /// Gives up checks that run; no hook is called any more.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// All that is to be checked of one service; of several with one backend the first counts. One that stays keeps its standing,
  /// also under other settings; one that goes is forgotten.
  void set_targets(std::string_view service, std::vector<Target> targets);
  /// Checks a backend soon, not when its interval has passed: for suspicion from elsewhere. Two checks of one backend begin at
  /// least a short pause (pace.h) apart, however often it is called.
  void check_now(std::string_view service, const netlink::Endpoint& backend);

  /// Of each of these backends, as BackendHealth::take_over with its `peers`. No hook is called.
  void take_over(const std::vector<Status>& statuses);

  /// By service and backend.
  [[nodiscard]] std::vector<Status> snapshot() const;
  /// Of one service.
  [[nodiscard]] std::vector<Status> snapshot(std::string_view service) const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace wsl4::health
