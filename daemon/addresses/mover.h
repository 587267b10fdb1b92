// Puts this node's addresses on the interfaces, keeps them there, and takes them off when they move to the other node of a pair:
// piece by piece, so that everything else on the thread of `io` has its turn between them.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <tl/expected.hpp>

#include "daemon/addresses/conflicts.h"
#include "daemon/addresses/manager.h"
#include "daemon/config/config.h"

namespace wsl4::addresses {

/// Which addresses are this node's while it is active, or alone.
struct MovingAddresses {
  bool manage = true;  // false: somebody else moves them
  std::vector<WantedAddress> wanted;
  std::vector<netlink::IpAddress> vips;
  friend bool operator==(const MovingAddresses&, const MovingAddresses&) = default;
};
[[nodiscard]] MovingAddresses moving_addresses(const config::Config& config);

class Mover {
 public:
  using Clock = std::chrono::steady_clock;
  using Then = std::function<void()>;
  using OnEvent = std::function<void(std::string name, std::string detail)>;

  /// A node that has given the role up forwards for so long what still comes to the virtual MAC address. Until then the other one
  /// has told the switches; and the kernel has reported twice, within 1 s (RFC 3810 9.11) and with that MAC address, the groups
  /// that the IPv6 addresses have left, which leads switches back here until the other one announces itself again
  /// (kAnnounceInterval).
  static constexpr std::chrono::milliseconds kRestAfter{2000};
  /// Switches forget a MAC address that they do not hear of, usually after 300 s, and after 15 s where the network is changing
  /// (802.1D 7.9.2).
  static constexpr std::chrono::seconds kRefreshInterval{10};

  /// `router`: as the manager's. What is placed or taken off, and who else holds it, is told by `on_event`.
  Mover(boost::asio::io_context& io, netlink::rtnl::Rtnl& rtnl, netlink::rtnl::Announcer& announcer, host::Sysctls& sysctls,
        std::optional<int> router, MovingAddresses moving, OnEvent on_event,
        Conflicts::Open open_probe = netlink::rtnl::open_conflict_probe);

  /// Makes the virtual links, if there are to be some. The error says in one line what stands in the way.
  [[nodiscard]] tl::expected<void, std::string> prepare();

  /// `idle`: those that no flow uses, so that they may go when they are wanted no more.
  /// Where they belong here it mends what somebody took away, as `tend`.
  void set(MovingAddresses moving, std::set<netlink::IpAddress> idle);
  [[nodiscard]] const MovingAddresses& moving() const { return moving_; }

  /// They belong here from now on: a first piece is put there at once.
  void place();
  /// The same, and all of it.
  void place_all();
  /// Tells the neighbours of all of them, at once.
  void announce();
  /// They belong here no more. `then` is called when all are off, or at once where they have come to belong here again.
  void withdraw(const Then& then);
  /// Mends what somebody took away, minds the virtual links, and looks for conflicts and strays: call it some times a second.
  void tend(Clock::time_point now);
  /// They have been taken off, and virtual links still take packets of known flows.
  [[nodiscard]] bool lingers() const { return rests_at_.has_value(); }

  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  /// Addresses that another host of their link holds too.
  [[nodiscard]] std::vector<std::string> conflicts() const { return conflicts_.problems(); }
  /// Addresses that do not belong here and that this machine answers for all the same, since somebody else has put them there:
  /// "198.18.1.100 on net0 and 5 more". Empty: none.
  [[nodiscard]] const std::string& strays() const { return strays_; }
  /// As the manager's.
  [[nodiscard]] const std::set<netlink::IpAddress>& leftover() const { return manager_.leftover(); }

 private:
  void place_some();
  void place_rest();
  void withdraw_rest(const Then& then);
  void mind_virtual_links(Clock::time_point now);
  void look_for_strays();
  void done(const std::optional<Reconciled>& result);

  boost::asio::io_context& io_;
  netlink::rtnl::Rtnl& rtnl_;
  Manager manager_;
  MovingAddresses moving_;
  std::set<netlink::IpAddress> idle_;
  OnEvent on_event_;
  Conflicts conflicts_;
  bool here_ = false;        // they belong here
  bool placing_ = false;     // the next piece has been posted
  bool other_wish_ = false;  // since virtual links were prepared
  std::optional<Clock::time_point> rests_at_;
  Clock::time_point refresh_at_;
  std::vector<std::string> problems_;
  std::string strays_;
  bool strays_known_ = false;
};

}  // namespace wsl4::addresses
