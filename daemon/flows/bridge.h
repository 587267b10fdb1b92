// Where the two leaf libraries meet: flows as netlink/ has them and as sync/ copies them. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/flows/idle.h"
#include "daemon/service/state_change.h"
#include "netlink/conntrack/flow.h"
#include "sync/flow.h"

namespace wsl4::flows {

/// What a copy's timer is set to where no packet uses it. The kernel cuts a longer one to INT_MAX jiffies without a word
/// (__nf_ct_set_timeout), which is the least, 24.8 days, where HZ is 1000. A timer that a packet sets is at most
/// kLongestEstablished, so what is left of this one tells that none has; the 6 days between the two are what a daemon may stay
/// away.
inline constexpr std::chrono::seconds kCopyTimeout{std::numeric_limits<int>::max() / 1000};
/// nf_conntrack_udp_timeout_stream, as the kernel has it.
inline constexpr std::chrono::seconds kUdpStreamTimeout{120};

[[nodiscard]] inline bool is_untouched_copy(const netlink::conntrack::Flow& flow) { return flow.timeout > kLongestEstablished; }

/// What a pair copies: established flows, and those of them that close; of UDP all.
[[nodiscard]] bool is_copied(const netlink::conntrack::Flow& flow);

/// `closing`: its mark says so.
[[nodiscard]] sync::Flow to_sync(const netlink::conntrack::Flow& flow, bool closing);
/// With kCopyTimeout, or what was left of it if it closes; the mark is the caller's.
[[nodiscard]] netlink::conntrack::Flow to_kernel(const sync::Flow& flow);

[[nodiscard]] sync::Endpoint to_sync(const netlink::Endpoint& endpoint);
[[nodiscard]] netlink::Endpoint to_netlink(const sync::Endpoint& endpoint);

/// Which number a backend has on this node, by what a copy tells of it.
class BackendNumbers {
 public:
  struct Place {
    netlink::Protocol protocol = netlink::Protocol::kTcp;
    netlink::Endpoint vip, backend;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  /// `change` is being made in `before`, whose numbers these are. True: a service listens where it did not before, so flows that
  /// are there may bear another number than these.
  bool follow(const service::StateChange& change, const service::DesiredState& before);
  /// Of places where no service listens (any more): all that there are.
  void set_gone(std::map<Place, service::BackendId> gone) { gone_ = std::move(gone); }
  [[nodiscard]] std::optional<service::BackendId> find(const Place& place) const;

 private:
  struct Hash {
    std::size_t operator()(const Place& place) const noexcept;
  };
  boost::unordered_flat_map<Place, service::BackendId, Hash> numbers_;
  std::map<Place, service::BackendId> gone_;
};

[[nodiscard]] BackendNumbers::Place place_of(const netlink::conntrack::Flow& flow);
[[nodiscard]] BackendNumbers::Place place_of(const sync::Flow& flow);

}  // namespace wsl4::flows
