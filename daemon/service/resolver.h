// From configuration to desired state: backends resolved and numbered, service by service. Pure.
//
// A backend is known by its service and address: renaming it changes nothing for its flows. Its number stays its own as long as it
// is in the file or a flow bears it. A backend that has gone from the file stays in the desired state, without a share, until its
// flows have ended: it drains, and what the guard and the counts need of it stays in place.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>
#include <tl/expected.hpp>

#include "daemon/service/desired_state.h"

namespace wsl4::service {

/// A backend that the kernel's table knew when the daemon started.
struct KnownBackend {
  std::string service;
  BackendState backend;
};

/// Whose backends those are that flows still go to from addresses where no service of this node's file listens. Not a name that a
/// service can have.
[[nodiscard]] std::string gone_service(netlink::Protocol protocol);

class Resolver {
  struct Known {
    BackendState backend;
    bool configured = true;
    std::uint64_t left_at = 0;  // `resyncs` when `forget_drained` first saw it gone; 0: not seen yet
  };
  using OfService = std::map<netlink::Endpoint, Known>;

 public:
  explicit Resolver(MarkLayout mark) : mark_(mark) {}

  /// What was found at start: backends with their numbers, and numbers that flows bear though no backend is known for them (they
  /// are not given out while `resolve`'s caller says that they are alive).
  void adopt(const std::vector<KnownBackend>& backends, const std::vector<BackendId>& live);

  /// Some services as they would be, and what `accept` has to know of them.
  class Resolution {
   public:
    std::map<std::string, ServiceState> services;

   private:
    friend class Resolver;
    std::map<std::string, OfService> known_;
    boost::unordered_flat_set<BackendId> new_ids_;
    BackendId last_id_ = 0;
  };
  /// Of services that are configured, and of some that are not any more. New backends are numbered in the order given. The error
  /// says that the mark's numbers are used up.
  [[nodiscard]] tl::expected<Resolution, std::string> resolve(const std::vector<const config::Service*>& services,
                                                              const std::vector<std::string>& gone) const;
  /// Of the last `resolve`, with no other call between them.
  void accept(Resolution resolution);

  /// A backend that the peer's flows go to, and that is not in this node's file: it is known from now on, and drains. The service
  /// has to be resolved again, but for one that is no service (`gone_service`). Returns the backend's number.
  [[nodiscard]] tl::expected<BackendId, std::string> learn(const std::string& service, const netlink::Endpoint& address);

  /// Forgets what is not in the file and bears no flow. `resyncs` is how many complete counts there have been: a backend is kept
  /// for two of them after it left, so that flows which were half-open then are seen. Returns the services that would now be
  /// resolved otherwise.
  std::set<std::string> forget_drained(const std::function<bool(BackendId)>& has_flows, std::uint64_t resyncs);
  /// Those about which `forget_drained` asks.
  [[nodiscard]] std::vector<BackendId> leaving() const;

  /// Those that are not in the file any more.
  [[nodiscard]] std::vector<KnownBackend> left() const;
  /// Not in the file, still known.
  [[nodiscard]] bool is_draining(const std::string& service, const netlink::Endpoint& address) const;

 private:
  [[nodiscard]] tl::expected<ServiceState, std::string> resolve_one(const config::Service& service, Resolution& resolution) const;
  /// What is known of the service, to be changed, with all of its backends out of the configuration.
  OfService& draft(const std::string& service, Resolution& resolution) const;
  [[nodiscard]] tl::expected<BackendId, std::string> free_id(Resolution& resolution) const;

  MarkLayout mark_;
  std::map<std::string, OfService> known_;
  std::set<std::string> leaving_;               // services with backends that are not configured
  boost::unordered_flat_set<BackendId> used_;   // numbers of known backends
  std::map<BackendId, std::uint64_t> orphans_;  // borne by flows of nobody we know -> left_at
  BackendId last_id_ = 0;
};

}  // namespace wsl4::service
