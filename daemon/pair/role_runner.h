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

#include "daemon/addresses/manager.h"
#include "daemon/config/config.h"
#include "daemon/election/role.h"
#include "daemon/election/transport.h"
#include "daemon/pair/replication.h"

namespace wsl4::pair {

/// What of the machine's addresses goes with the role.
struct MovingAddresses {
  bool manage = true;  // false: somebody else moves them
  std::vector<addresses::WantedAddress> wanted;
  std::vector<netlink::IpAddress> vips;
  friend bool operator==(const MovingAddresses&, const MovingAddresses&) = default;
};
[[nodiscard]] MovingAddresses moving_addresses(const config::Config& config);

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

  using Promoted = std::optional<std::chrono::milliseconds>;  // how long ago, if it was said last
  /// The error is one line that says what is missing: the interface, its address, a capability.
  [[nodiscard]] static tl::expected<std::unique_ptr<RoleRunner>, std::string> open(boost::asio::io_context& io,
                                                                                   const config::Config& config, Promoted promoted,
                                                                                   Replication& replication, Callbacks callbacks);

  /// The session holds all that the kernel has; from now on roles may change.
  void start();
  void peer_state(const election::PeerState& state);
  /// The session's state, or what is pending, may have changed.
  void session_changed();
  void heartbeat();
  [[nodiscard]] election::PeerState state() const { return machine_->state(std::chrono::steady_clock::now()); }

  void set_addresses(MovingAddresses moving, const std::set<netlink::IpAddress>& idle);
  void set_priority(int priority);
  void set_healthy(bool healthy);
  election::RoleMachine::Answer failover(bool force);
  election::RoleMachine::Answer promote();
  election::RoleMachine::Answer demote();
  /// Hands over, withdraws, or leaves all as it is where nobody else is there (RoleMachine::stop). Ends with `on_stopped`.
  void stop();

  [[nodiscard]] int priority() const { return priority_; }
  [[nodiscard]] const election::RoleMachine& machine() const { return *machine_; }
  [[nodiscard]] const election::TransportStats* adverts() const { return transport_ ? &transport_->stats() : nullptr; }
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  [[nodiscard]] std::set<netlink::IpAddress> leftover() const { return addresses_->leftover(); }

 private:
  RoleRunner(boost::asio::io_context& io, const config::Config& config, Replication& replication, Callbacks callbacks);
  [[nodiscard]] tl::expected<void, std::string> prepare(const config::Config& config, Promoted promoted);
  [[nodiscard]] tl::expected<std::vector<netlink::IpAddress>, std::string> advert_sources(
      const std::vector<netlink::rtnl::Link>& links, const std::vector<netlink::rtnl::InterfaceAddress>& present) const;
  void find_track(const std::vector<netlink::rtnl::Link>& links, const std::vector<netlink::rtnl::InterfaceAddress>& present);
  void act();
  void perform(const election::Action& action);
  void begin(election::Step step);
  void finish(election::Step step);
  void wait_for(election::Step step);
  void change_role(election::Role role, election::Cause cause);
  void settle_session_role();
  void advertise(int priority);
  void place_addresses();
  void place_rest();
  void placed(const std::optional<addresses::Reconciled>& result);
  void remove_addresses(const Then& then);
  void remove_rest(const Then& then);
  void look_at_links();
  void mind_virtual_links();
  void end();
  void arm();

  boost::asio::io_context& io_;
  Replication& replication_;
  Callbacks callbacks_;
  std::unique_ptr<netlink::rtnl::Rtnl> rtnl_, watch_;  // each is told of changes once; `watch_` is for carrier
  std::unique_ptr<netlink::rtnl::Announcer> announcer_;
  std::unique_ptr<host::Sysctls> sysctls_ = host::kernel_sysctls();
  std::unique_ptr<addresses::Manager> addresses_;
  MovingAddresses moving_;
  std::set<netlink::IpAddress> idle_;
  const config::Ha ha_;               // as at the start
  std::set<std::string> carriers_;    // where `moving_` belongs
  std::vector<std::string> tracked_;  // interfaces
  std::string sync_link_;             // of ha.listen; none where `moving_` belongs on it too
  bool links_changed_ = false;        // since they were listed
  bool other_homes_ = false;          // may be other ones than `carriers_`
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
  bool started_ = false, acting_ = false, places_ = false, placing_ = false;
  bool other_wish_ = false;                      // for addresses, since virtual links were looked at
  bool ends_ = false;                            // with the rest of the virtual links
  std::optional<election::TimePoint> rests_at_;  // virtual links still take packets of known flows until then
  election::TimePoint refresh_at_;               // of switches
  std::vector<std::string> problems_;
  boost::asio::steady_timer timer_, tend_timer_;
};

}  // namespace wsl4::pair
