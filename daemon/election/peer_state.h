// What the two nodes of a pair tell each other about their roles, over the sync session. Pure values.
//
// It is a state, not a message: the latest one counts, and those in between may be left out. It is told whenever it changes and
// again with each heartbeat, in order.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "netlink/ip.h"

namespace wsl4::election {

enum class Role : std::uint8_t { kInit, kActive, kStandby, kFault };  // as status names them
[[nodiscard]] std::string_view to_string(Role role);

/// An active that asks the peer to take over.
enum class Offer : std::uint8_t {
  kNone,
  kFailover,  // an operator said so, or this node stops: if it is synced
  kForced,    // an operator said so, synced or not
  kHealth,    // all backends of a service failed together: if it is synced and its own checks succeed
};

/// With no active the greater one takes the role: more flows, then the higher priority, then the greater address.
struct Ballot {
  std::uint64_t flows = 0;
  int priority = 0;
  netlink::IpAddress address;
  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};

/// election = "external", of an active: the operator's word that made it so, as an age, since the clocks of two nodes differ.
struct Word {
  std::chrono::milliseconds age{0};  // at most kOldest
  /// Two actives have met, and this one stays: its word is the later one. Only the one of them that comes first by priority and
  /// address compares, so that a word that ages on its way never has both step down.
  bool last = false;
  static constexpr std::chrono::milliseconds kOldest{0xffffffff};
  friend bool operator==(const Word&, const Word&) = default;
};

struct PeerState {
  Role role = Role::kInit;
  Offer offer = Offer::kNone;
  /// Not 0: wants the role, or is granted the claim of that number. While it stands a grant binds: who gave it neither has the role
  /// nor claims it. Each claim has a number of its own, so that no grant is taken for another one's.
  std::uint32_t claim = 0, grant = 0;
  bool healthy = true;  // no service with all its backends failed together
  Ballot ballot;        // as it was when the claim was made; without one its flows are 0
  std::optional<Word> word = std::nullopt;
  friend bool operator==(const PeerState&, const PeerState&) = default;
};

}  // namespace wsl4::election
