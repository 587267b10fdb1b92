// From configuration to desired state: pools and backends resolved, backends numbered. Pure.
//
// A backend is known by its service and address: renaming it changes nothing for its flows. Its number stays its own as long as it
// is in the file or a flow bears it. A backend that has gone from the file stays in the desired state, without a share, until its
// flows have ended: it drains, and what the guard and the counts need of it stays in place.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/service/desired_state.h"

namespace wsl4::service {

/// A backend that the kernel's table knew when the daemon started.
struct KnownBackend {
  std::string service;
  BackendState backend;
};

class Resolver {
 public:
  struct Kernel {
    bool owned_table = false;
    bool double_dnat = false;
  };

  Resolver(MarkLayout mark, Kernel kernel) : mark_(mark), kernel_(kernel) {}

  /// What was found at start: backends with their numbers, and numbers that flows bear though no backend is known for them (they
  /// are not given out while `resolve`'s caller says that they are alive).
  void adopt(const std::vector<KnownBackend>& backends, const std::vector<BackendId>& live);

  /// The error says that the mark's numbers are used up. Changes what is known only on success.
  [[nodiscard]] tl::expected<DesiredState, std::string> resolve(const config::Config& config);

  /// A backend that the peer's flows go to, and that is not in this node's file: it is known from now on, and drains.
  [[nodiscard]] tl::expected<void, std::string> learn(const std::string& service, const netlink::Endpoint& address);

  /// Forgets what is not in the file and bears no flow. `resyncs` is how many complete counts there have been: a backend is kept
  /// for two of them after it left, so that flows which were half-open then are seen. True if a new `resolve` would differ.
  bool forget_drained(const std::function<bool(BackendId)>& has_flows, std::uint64_t resyncs);

  /// Not in the file, still known.
  [[nodiscard]] bool is_draining(const std::string& service, const netlink::Endpoint& address) const;

 private:
  using Key = std::pair<std::string, netlink::Endpoint>;
  struct Known {
    BackendState backend;
    bool configured = true;
    std::uint64_t left_at = 0;  // `resyncs` when `forget_drained` first saw it gone; 0: not seen yet
  };

  [[nodiscard]] tl::expected<BackendId, std::string> free_id(const std::map<Key, Known>& known);

  MarkLayout mark_;
  Kernel kernel_;
  std::map<Key, Known> known_;
  std::map<BackendId, std::uint64_t> orphans_;  // borne by flows of nobody we know -> left_at
  BackendId last_id_ = 0;
};

}  // namespace wsl4::service
