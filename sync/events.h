// What a session tells its owner, and what it can be asked for.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sync/flow.h"
#include "sync/wire.h"

namespace wsl4::sync {

/// As contract.md names them.
enum class State : std::uint8_t {
  kDisconnected,
  kBulk,   // connected, but the standby does not hold all flows yet, or its kernel refused some
  kSynced  // the standby's kernel holds every flow of the active, but for what is pending
};

namespace event {

/// Both sides have agreed.
struct Connected {
  Hello peer;
};
/// The connection is of no use any more: to be closed once `pull` yields nothing.
struct Ended {
  Error error;
  bool by_peer = false;                // the peer said so; else this node did, and tells the peer
  std::optional<Role> peer_role = {};  // where the two did not agree on a session, what the peer is
};
/// Settings that are not the same on both nodes, by name. Told with each connection and each change; empty: all are the same again.
struct ConfigurationDiffers {
  std::vector<std::string> keys;
};
struct PeerRole {
  Role role = Role::kInit;
};
struct StateChanged {
  State state = State::kDisconnected;
};

}  // namespace event

using Event =
    std::variant<event::Connected, event::Ended, event::ConfigurationDiffers, event::PeerRole, event::StateChanged, SharedState>;

struct PeerStatus {
  std::string node;
  Role role = Role::kInit;
  std::uint8_t priority = 0;
  std::uint64_t flows = 0;
  Time round_trip{0};  // of the last heartbeat
  Time answered{0};    // when the last heartbeat was sent that it has answered: what it had said before has been received
};

struct Status {
  State state = State::kDisconnected;
  PeerStatus peer;             // as last heard of
  std::size_t flows = 0;       // that this node holds, its own and copies
  std::size_t pending = 0;     // changes that the peer's kernel does not have yet; on a standby, that its own does not
  bool drained = false;        // connected, and the peer's kernel has all that this node owns; one that is not active owns nothing
  std::size_t unapplied = 0;   // operations that this node's kernel has not answered; no comparison before it is 0
  Time lag{0};                 // on the active: age of the oldest pending change, or how long the last one took; else the peer's
  std::uint64_t sent = 0;      // flows and ends of flows, ever
  std::uint64_t received = 0;  // the same
  std::uint64_t resyncs = 0;   // comparisons that found a difference
  std::uint64_t repairs = 0;   // flows that this node's kernel had not as it should
  std::uint64_t refusals = 0;  // operations that this node's kernel refused
};

}  // namespace wsl4::sync
