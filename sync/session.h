// The session of a pair: a machine that is told what happens (bytes, changes of flows, time) and yields bytes, operations for the
// kernel, and events. It lives as long as the daemon; connections come and go. Not thread-safe.
//
// Who owns a flow follows from the roles (flow_store.h). A daemon that starts tells what its kernel holds (`learn`) before it takes
// a role: what an active does not hold, its standby deletes.
//
// Memory: flows, at most once more each for the peer and for the kernel, and a frame. It does not depend on how slow the peer is.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sync/events.h"
#include "sync/outbox.h"
#include "sync/receiver.h"
#include "sync/sender.h"

namespace wsl4::sync {

struct Options {
  std::string node;               // name of this node
  std::uint64_t incarnation = 1;  // a random number of this process, not 0
  std::uint8_t priority = 100;
  Versions versions;
  std::vector<KeyDigest> configuration;
  Time heartbeat_interval{100'000};
  Time silence{1'000'000};        // so long without a byte ends a connection
  Time refused_retry{1'000'000};  // after which the kernel is asked again for what it refused
  std::size_t window = 16384;     // flows under way to the peer's kernel
};

class Session {
 public:
  explicit Session(Options options);

  // ---- the transport: authenticated, in order, one connection at a time
  void connected(Time now);
  /// Also when the connection was ended by `Ended`.
  void disconnected();
  /// Any bytes; those after an end are ignored.
  void receive(std::span<const std::uint8_t> bytes, Time now);
  /// Appends about `limit` bytes that are to be sent now, or nothing. To be called when the transport can take more, and after any
  /// other call. A transport that takes less makes changes wait and merge here.
  void pull(std::vector<std::uint8_t>& out, std::size_t limit, Time now);
  /// At least every heartbeat_interval.
  void tick(Time now);

  // ---- this node's kernel
  /// The kernel has this flow, and told so by itself. While this node is not active: a copy that is in the kernel already, unless
  /// the peer is active; then the peer knows better, and the call does nothing. False: the flow cannot be one (mixed families), or
  /// the dictionary is full.
  bool learn(const Flow& flow, Time now);
  /// The kernel has lost it. Only client, VIP and protocol matter. While the peer is active and this node is not: does nothing.
  void forget(const Flow& flow, Time now);
  /// A comparison has found that the kernel is not as `find` tells; it will be told again. On an active the kernel is right:
  /// `learn` and `forget`.
  void repair(const Flow& flow);
  /// Flows to put into the kernel or to take out.
  [[nodiscard]] Batch take_operations(std::size_t limit) { return feed_.take(limit); }
  /// `unasked`: of `refused`, for which the kernel was not asked yet; they are tried again like the others, and not counted.
  void operations_done(std::uint64_t number, std::span<const Flow> refused, std::size_t unasked = 0);
  void operations_unknown() { feed_.unknown(); }

  // ---- the election
  void set_role(Role role);
  void set_priority(std::uint8_t priority);
  /// Overtakes flows that wait; where that matters, wait until none is pending. Lost without a connection.

  // ---- what else the pair shares
  void set_configuration(std::vector<KeyDigest> configuration);
  /// Keeps the peer's idea of a topic up to date, over connections. False: more than Outbox::kMaxTopics, or than
  /// kMaxSharedState bytes.
  bool publish(std::uint16_t topic, std::vector<std::uint8_t> bytes) { return outbox_.publish(topic, std::move(bytes)); }
  /// Ends the connection: this node stops.
  void leave();

  [[nodiscard]] std::vector<Event> take_events();
  [[nodiscard]] Status status(Time now) const;
  [[nodiscard]] State state() const;
  [[nodiscard]] const FlowStore& flows() const { return store_; }
  /// The flow with this client, VIP and protocol as the kernel should have it.
  [[nodiscard]] std::optional<Flow> find(const Flow& flow) const;

 private:
  enum class Phase : std::uint8_t { kDisconnected, kHello, kConfiguration, kEstablished, kEnded };
  [[nodiscard]] Result<void> handle(const Frame& frame, Time now);
  [[nodiscard]] Result<void> handle_flows(const Frame& frame, Time now);
  [[nodiscard]] Result<void> greet(const Frame& frame);
  [[nodiscard]] Result<void> on(const Hello& hello);
  [[nodiscard]] Result<void> on(Configuration configuration);
  [[nodiscard]] Result<void> on(const Bye& bye);
  [[nodiscard]] Result<void> on(const Heartbeat& heartbeat);
  [[nodiscard]] Result<void> on(const Echo& echo, Time now);
  [[nodiscard]] Result<void> compare_configurations();
  void establish();
  void end(Error error, bool by_peer);
  [[nodiscard]] bool peer_is_active() const;
  void note_state();

  Options options_;
  FlowStore store_;
  KernelFeed feed_;
  Sender sender_;
  Receiver receiver_;
  Role role_ = Role::kInit;
  Phase phase_ = Phase::kDisconnected;
  State noted_state_ = State::kDisconnected;
  FrameReader reader_;
  Hello peer_;
  std::vector<KeyDigest> peer_configuration_;
  Time round_trip_{0}, answered_{0}, peer_lag_{0};
  Time last_heard_{0}, last_heartbeat_{0}, last_retry_{0};
  std::vector<Event> events_;
  bool heartbeat_due_ = false;
  Outbox outbox_;
};

}  // namespace wsl4::sync
