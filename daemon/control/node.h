// What the control API asks of the running daemon, and the values it shows. All on the control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <tl/expected.hpp>

#include "daemon/service/overlay.h"
#include "netlink/ip.h"

namespace wsl4::control {

using WallClock = std::chrono::system_clock;

// ---- status: mirrors the JSON of the contract ------------------------------------------------------------------

/// The last health check of a backend.
struct CheckStatus {
  bool ok = false;
  std::string detail;  // "101 in 0.8 ms", "connection refused"
  std::chrono::milliseconds age{0};
};

struct BackendStatus {
  std::string name;
  netlink::Endpoint address;
  std::string state;   // up | down | checking | draining | disabled | full
  std::string reason;  // why the share is what it is: "weight 0", "down: connection refused", "slow start"; empty: nothing special
  int weight = 0;
  std::uint64_t connections = 0, half_open = 0;
  std::uint64_t max_connections = 0;             // 0: what the pool can carry
  double share = 0;                              // of new flows, 0-1
  std::uint64_t total = 0;                       // flows since the daemon first saw it
  std::optional<CheckStatus> check;              // none: not checked, or not yet
  std::optional<std::chrono::seconds> empty_in;  // of one that drains: until its last flow ends, at the present pace
  bool changed = false;                          // at run time
  std::string source;                            // file | added (at run time) | registered | discovered; empty: it has left
  std::optional<std::chrono::seconds> lease;     // of a registered one: until it lapses, if it is not renewed
  std::string public_address;                    // what `pick` hands out; may be empty
};

/// A service's backends in DNS.
struct DiscoveryStatus {
  std::string source;                                 // "dns:…", as in the file
  bool failing = false;                               // then the last answer stays in use
  std::string error;                                  // the last one; stays after it has passed
  std::optional<WallClock::time_point> last_success;  // since the daemon started
};

struct SnatAddressStatus {
  netlink::IpAddress address;
  std::uint64_t connections = 0;  // of the service
  std::uint64_t used = 0;         // ports held towards the service's backends, by whichever services
};

struct SnatStatus {
  std::string pool;
  std::vector<SnatAddressStatus> addresses;
  std::uint64_t capacity = 0, used = 0;  // as above; half-open and closing entries hold a port too
  double worst_use = 0;
  std::uint64_t pairs_full = 0;                 // pairs of pool address and backend without a free port
  std::optional<std::chrono::seconds> full_in;  // at the present rate; none: not foreseeable
};

struct ServiceStatus {
  std::string name, protocol;
  std::vector<netlink::Endpoint> listen;
  std::string scheduler, mode;
  std::string health = "none";  // how backends are checked: tcp | http | https | websocket | websockets | none
  std::uint64_t connections = 0;
  double rate = 0;  // new flows per second, over the last 10 s
  std::uint64_t total = 0, refused = 0;
  std::vector<BackendStatus> backends;
  std::vector<std::string> removed;                 // backends of the file that were removed at run time
  std::map<std::string, std::uint64_t> refused_by;  // no_backend, full, client_limit
  std::optional<SnatStatus> snat;                   // none in mode dnat
  std::optional<DiscoveryStatus> discovery;
};

/// The other node of the pair; name and role are empty until it was heard of.
struct PeerStatus {
  std::string name;
  netlink::Endpoint address;
  bool connected = false;
  std::string role;  // init | active | standby | fault
};

/// Copies of flows between the two nodes. The counts are since the daemon started.
struct SyncStatus {
  std::string state = "none";            // none (single node) | disconnected | bulk | synced
  std::uint64_t flows = 0, pending = 0;  // held here; changes that the standby's kernel does not have yet
  double lag_ms = 0;
  std::uint64_t sent = 0, received = 0;  // flows and ends of flows
  std::uint64_t resyncs = 0;
  std::uint64_t repairs = 0;  // drift found and mended
  std::uint64_t refused = 0;  // flows that this kernel refused
  std::uint64_t bytes_sent = 0, bytes_received = 0;
};

/// A step of taking the role or giving it up.
struct TakeoverPhase {
  std::string step;  // election::to_string(Step)
  std::chrono::microseconds took{0};
  bool done = false;  // false: given up when it took too long
};

/// The pair as this node sees it. A single node has the defaults.
struct HaStatus {
  std::string election = "none";  // none | vrrp | external
  std::optional<PeerStatus> peer;
  SyncStatus sync;
  std::uint64_t transitions = 0;  // of this node's role
  int priority = 0;
  std::uint64_t adverts_sent = 0, adverts_received = 0;
  std::map<std::string, std::uint64_t> adverts_rejected, link_refusals;  // by reason; connections that were not the peer's
  std::uint64_t link_connections = 0;                                    // that were
  std::string takeover_plan;                                             // of the last one begun; empty: none yet
  std::vector<TakeoverPhase> takeover;                                   // its steps that are over
  std::vector<std::string> differing_keys;                               // settings that the two nodes do not have alike
};

struct Status {
  std::string version;
  std::string node_name, role;  // init | active | standby | fault
  WallClock::time_point role_since;
  std::chrono::seconds uptime{0};
  std::string kernel_release;
  HaStatus ha;
  std::vector<ServiceStatus> services;
  std::uint64_t conntrack_count = 0, conntrack_max = 0;
  bool ruleset_in_sync = false;
  std::uint64_t event_overruns = 0, dumps = 0, ruleset_repairs = 0;
  std::uint64_t reaped = 0;  // entries of closed flows that were taken out since ports were short
  std::vector<std::string> warnings;
};

// ---- flows ----------------------------------------------------------------------------------------------------

struct FlowQuery {
  std::optional<std::string> service, backend;
  std::optional<netlink::IpAddress> client;
  std::optional<netlink::Endpoint> snat;
  std::size_t limit = 100;  // 0: all
};

struct FlowView {
  std::string service, backend, protocol;
  netlink::Endpoint client, vip, snat, server;  // snat: equals client in mode dnat
  std::string state;                        // the kernel's names: ESTABLISHED, FIN_WAIT, …; UDP: UNREPLIED, REPLIED or ASSURED
  std::chrono::seconds expires{0};          // until the kernel forgets it, without further packets
  std::optional<std::chrono::seconds> age;  // since it began, where the kernel tells
};

// ---- events ---------------------------------------------------------------------------------------------------

/// A thing that operators want to know. `name` is stable and documented in wsl4ctl(1).
struct NodeEvent {
  std::uint64_t sequence = 0;  // 1 and up, without gaps while the daemon lives
  WallClock::time_point time;
  std::string name;     // "reloaded", "ruleset-repaired", …
  std::string service;  // may be empty
  std::string backend;  // may be empty
  std::string detail;   // for people
};

// ---- the node ---------------------------------------------------------------------------------------------------

/// Why a request was refused: an HTTP status, and text for people (title, detail) in an RFC 9457 problem document.
struct Refusal {
  int http_status = 500;
  std::string title;
  std::vector<std::string> details;  // for a bad configuration: every problem
};
template <class T>
using Outcome = tl::expected<T, Refusal>;

struct PlacedAddress {
  netlink::IpAddress address;
  std::string interface;
};

struct SysctlChange {
  std::string name, before, value;
};

struct ReloadReport {
  bool changed = false;
  std::string nft_text;                  // what was or would be sent to the kernel
  std::vector<std::string> warnings;     // settings that need a restart, …
  std::vector<std::string> read_anew{};  // settings whose file says something else: "ha.key_file"
  std::vector<PlacedAddress> addresses_added{};
  std::vector<PlacedAddress> addresses_removed{};  // once no flow uses them
  std::vector<SysctlChange> sysctls{};
};

struct ChangeReport {
  service::Applied applied = service::Applied::kNothing;
  std::uint64_t connections = 0;      // that the backend has now
  std::vector<std::string> warnings;  // "service chat: no backend takes new connections"
};

struct PickedBackend {
  std::string backend;
  netlink::Endpoint address;
  std::string public_address;  // may be empty
};

struct RebalanceReport {
  std::uint64_t surplus = 0;  // flows that are to move
};

class Node {
 public:
  virtual ~Node() = default;
  virtual boost::asio::awaitable<Outcome<Status>> status() = 0;
  virtual boost::asio::awaitable<Outcome<ReloadReport>> reload(bool dry_run) = 0;
  virtual boost::asio::awaitable<Outcome<std::vector<FlowView>>> flows(FlowQuery query) = 0;
  /// Events after `sequence`, oldest first; waits up to `wait` for the first one.
  virtual boost::asio::awaitable<Outcome<std::vector<NodeEvent>>> events(std::uint64_t after, std::chrono::milliseconds wait) = 0;
  /// Done when it is stored and in the kernel.
  virtual boost::asio::awaitable<Outcome<ChangeReport>> change_backend(std::string service, std::string backend,
                                                                       service::BackendChange change) = 0;
  /// The backend with most room. Refused with status 503 when none has any.
  virtual boost::asio::awaitable<Outcome<PickedBackend>> pick(std::string service) = 0;
  /// Resets `rate` flows per second of over-full backends until all are even; 0 stops it.
  virtual boost::asio::awaitable<Outcome<RebalanceReport>> rebalance(std::string service, std::uint32_t rate) = 0;
  /// Hands the active role to the peer; refused if that is not synced, unless `force`. A line for people: "lb-b is active".
  virtual boost::asio::awaitable<Outcome<std::string>> failover(bool force) = 0;
  /// Under election "external". A line for people, as above.
  virtual boost::asio::awaitable<Outcome<std::string>> set_role(bool active) = 0;
  /// The thread that programs the kernel turns.
  [[nodiscard]] virtual bool alive() const = 0;
  /// This node carries traffic.
  [[nodiscard]] virtual bool ready() const = 0;
};

}  // namespace wsl4::control
