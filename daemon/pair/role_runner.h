// Runs the election of a pair: the role machine between adverts, the session, carrier, addresses and the gate of the ruleset. On
// the pair's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/addresses/mover.h"
#include "daemon/config/config.h"
#include "daemon/election/role.h"
#include "daemon/election/transport.h"
#include "daemon/pair/replication.h"
#include "daemon/pair/tracked_links.h"

namespace wsl4::pair {

class RoleRunner {
 public:
  using Then = std::function<void()>;
  struct Callbacks {
    /// On the kernel thread; `then` is called on this one.
    std::function<void(service::Gate gate, Then then)> set_gate;
    /// All that the kernel has told is with the session when `then` is called.
    std::function<void(Then then)> catch_up;
    /// Copies whose tuples a connection here holds are refused, instead of taking its place.
    std::function<void(bool spare)> spare_present;
    /// To the peer, now.
    std::function<void(const election::PeerState& state)> tell;
    std::function<void(election::Role role, election::Cause cause)> on_role;
    /// Another active has given the role up to this one.
    std::function<void()> on_kept;
    std::function<void(std::string name, std::string detail)> on_event;
    std::function<void()> on_stopped;
  };

  /// Of the time before this daemon started.
  struct Remembered {
    std::optional<std::chrono::milliseconds> promoted_ago;  // if that was said last
    bool resting = false;                                   // RoleMachine::Settings
  };
  /// The error is one line that says what is missing: the interface, its address, a capability.
  [[nodiscard]] static tl::expected<std::unique_ptr<RoleRunner>, std::string> open(boost::asio::io_context& io,
                                                                                   const config::Config& config,
                                                                                   const Remembered& remembered,
                                                                                   Replication& replication, Callbacks callbacks);

  /// The session holds all that the kernel has; from now on roles may change.
  void start();
  void peer_state(const election::PeerState& state);
  /// The session's state, or what is pending, may have changed.
  void session_changed();
  void heartbeat();
  [[nodiscard]] election::PeerState state() const { return machine_->state(std::chrono::steady_clock::now()); }

  void set_addresses(addresses::MovingAddresses moving, std::set<netlink::IpAddress> idle) {
    addresses_->set(std::move(moving), std::move(idle));
  }
  void set_priority(int priority);
  void set_healthy(bool healthy);
  election::RoleMachine::Answer failover(bool force);
  election::RoleMachine::Answer promote();
  election::RoleMachine::Answer demote();
  void forget_promotion();
  void peer_disagrees(bool active);
  /// Hands over, withdraws, or leaves all as it is where nobody else is there (RoleMachine::stop). Ends with `on_stopped`.
  void stop();

  [[nodiscard]] int priority() const { return priority_; }
  [[nodiscard]] const election::RoleMachine& machine() const { return *machine_; }
  [[nodiscard]] const election::TransportStats* adverts() const { return transport_ ? &transport_->stats() : nullptr; }
  [[nodiscard]] const std::vector<std::string>& problems() const { return addresses_->problems(); }
  [[nodiscard]] std::vector<std::string> conflicts() const { return addresses_->conflicts(); }
  [[nodiscard]] const std::string& strays() const { return addresses_->strays(); }
  [[nodiscard]] std::set<netlink::IpAddress> leftover() const { return addresses_->leftover(); }

 private:
  RoleRunner(boost::asio::io_context& io, const config::Config& config, Replication& replication, Callbacks callbacks);
  [[nodiscard]] tl::expected<void, std::string> prepare(const config::Config& config, const Remembered& remembered);
  void act();
  void perform(const election::Action& action);
  void begin(election::Step step);
  void finish(election::Step step);
  void wait_for(election::Step step);
  void change_role(election::Role role, election::Cause cause);
  void settle_session_role();
  void advertise(int priority);
  void look_at_links();
  void end();
  void arm();

  boost::asio::io_context& io_;
  Replication& replication_;
  Callbacks callbacks_;
  std::unique_ptr<netlink::rtnl::Rtnl> rtnl_, watch_;  // each is told of changes once; `watch_` is for carrier
  std::unique_ptr<netlink::rtnl::Announcer> announcer_;
  std::unique_ptr<host::Sysctls> sysctls_ = host::kernel_sysctls();
  const config::Ha ha_;  // as at the start
  std::optional<addresses::Mover> addresses_;
  TrackedLinks tracked_;
  bool links_changed_ = false;  // since they were listed
  std::unique_ptr<election::Transport> transport_;
  std::chrono::milliseconds interval_;
  int priority_;
  election::RoleMachine::Settings settings_;
  std::optional<election::RoleMachine> machine_;
  election::SessionState session_;
  sync::Time waits_since_{0};                // of the session's clock
  std::optional<election::Step> waits_for_;  // kDrain or kAwaitEntries, once what comes before has been handed over
  /// This node is not active any more, and its session still sends what it has.
  struct HandOn {
    std::chrono::milliseconds limit;
    std::optional<election::TimePoint> until;  // from when the session stands
    bool caught_up = false;                    // all that the kernel had to tell is with the session
  };
  std::optional<HandOn> hand_on_;
  election::Role role_ = election::Role::kInit;
  std::chrono::steady_clock::time_point prepared_at_;
  bool started_ = false, acting_ = false;
  bool ends_ = false;  // as soon as the virtual links rest
  boost::asio::steady_timer timer_, tend_timer_;
};

}  // namespace wsl4::pair
