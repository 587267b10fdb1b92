// One node of a pair: a thread of its own with the link to the peer, the copying of flows, the election and the addresses that
// move with the role, so that no long commit or dump delays them.
//
// `open` and `attach` come before `run`; what is said to be callable from any thread posts to the pair's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "daemon/config/config.h"
#include "daemon/pair/replication.h"
#include "daemon/pair/role_runner.h"
#include "daemon/peer/link.h"
#include "daemon/runtime/pulse.h"

namespace wsl4::runtime {
class KernelWorker;
}

namespace wsl4::pair {

/// As status shows it.
struct PairStatus {
  election::Role role = election::Role::kInit;
  std::chrono::system_clock::time_point role_since;
  std::uint64_t transitions = 0;  // times that the role became another one, but for the first
  std::string election;           // vrrp | external
  int priority = 0;
  netlink::Endpoint peer_address;
  std::string peer_error;  // why it is not connected, for people; empty while it is, or nothing is known
  election::Role peer_role = election::Role::kInit;
  sync::Status sync;
  peer::LinkStats link;
  std::optional<election::TransportStats> adverts;
  std::string takeover_plan;
  std::vector<election::Takeover::Phase> takeover;
  std::vector<std::string> differing_keys, warnings;
};

class Pair {
 public:
  /// All are called on the pair's thread.
  struct Callbacks {
    std::function<void(election::Role role, election::Cause cause)> on_role;
    /// This node was active beside the other one, which has given the role up.
    std::function<void()> on_kept;
    std::function<void(std::string name, std::string detail)> on_event;
    /// Whether the peer can take the place of this node: it is connected, both have the same flows, and it has no fault. As
    /// `wsl4d --release` has to know.
    std::function<void(bool is_protected)> on_protected;
    /// A piece of one of the peer's documents, and whether it is active: a node that was active once tells what it shared then
    /// again with each connection.
    std::function<void(const sync::SharedState&, bool from_active)> on_shared;
    std::function<void()> on_stopped;
  };

  [[nodiscard]] static tl::expected<std::unique_ptr<Pair>, std::string> open(const config::Config& config,
                                                                             RoleRunner::Remembered remembered,
                                                                             Callbacks callbacks);
  ~Pair();
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  /// What a kernel worker of a pair is given; `on_unknown_backend` is the caller's.
  [[nodiscard]] flows::Replicator::Callbacks replicator_callbacks();
  void attach(runtime::KernelWorker& kernel) { kernel_ = &kernel; }
  void run();
  /// Ends the thread at once.
  void join();
  [[nodiscard]] boost::asio::io_context& io() { return io_; }

  // From any thread:
  /// All that the kernel had at the start has been told: connections to the peer and roles may come. Waits for the thread. The
  /// error says what could not be bound.
  [[nodiscard]] tl::expected<void, std::string> begin();
  void stop();
  void set_addresses(addresses::MovingAddresses moving, std::set<netlink::IpAddress> idle);
  void set_priority(int priority);
  void set_healthy(bool healthy);
  void set_keys(peer::Keys keys);
  void set_configuration(std::vector<sync::KeyDigest> digests);
  void publish(std::uint16_t topic, std::vector<std::uint8_t> bytes);
  [[nodiscard]] bool is_alive() const { return pulse_.is_alive(runtime::Pulse::Clock::now()); }

  boost::asio::awaitable<PairStatus> status();
  boost::asio::awaitable<bool> peer_is_active();
  boost::asio::awaitable<std::set<netlink::IpAddress>> leftover();
  boost::asio::awaitable<tl::expected<void, std::string>> failover(bool force);
  boost::asio::awaitable<tl::expected<void, std::string>> set_role(bool active);
  /// Unless it has come true.
  boost::asio::awaitable<void> forget_promotion();

 private:
  Pair(const config::Config& config, Callbacks callbacks);
  [[nodiscard]] Replication::Callbacks replication_callbacks();
  [[nodiscard]] RoleRunner::Callbacks runner_callbacks();
  void set_gate(service::Gate gate, RoleRunner::Then then);
  void catch_up(RoleRunner::Then then);
  void handle(const sync::Event& event);
  void change_role(election::Role role, election::Cause cause);
  void note_protection();
  void end_connection(const sync::event::Ended& ended);
  void beat();
  [[nodiscard]] PairStatus look() const;
  template <class Function>
  void post(Function function);

  const config::Ha ha_;
  Callbacks callbacks_;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  Replication replication_;
  std::unique_ptr<peer::Link> link_;
  peer::Keys keys_;
  std::unique_ptr<RoleRunner> runner_;
  runtime::KernelWorker* kernel_ = nullptr;
  std::optional<election::PeerState> peer_state_;
  std::chrono::system_clock::time_point role_since_ = std::chrono::system_clock::now();
  std::uint64_t transitions_ = 0;
  bool synced_ = false, protected_ = false;
  bool silent_ = false;  // the peer, for so long that this node has taken the role; its connection may stand a while longer
  std::string last_end_;
  std::vector<std::string> differing_keys_;
  runtime::Pulse pulse_;
  std::jthread thread_;
};

}  // namespace wsl4::pair
