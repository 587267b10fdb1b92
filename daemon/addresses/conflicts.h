// Looks from time to time whether another host of the link holds an address of this node too, and tells so: packets to it then go
// to whichever of the two a neighbour heard of last. So it is with a node of a pair that was stopped as the last one, which keeps
// its addresses, and with two balancers that were given the same pool.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/addresses/placement.h"
#include "netlink/rtnl/conflict_probe.h"

namespace wsl4::addresses {

class Conflicts {
 public:
  using Clock = std::chrono::steady_clock;
  using Open = std::function<netlink::Result<std::unique_ptr<netlink::rtnl::ConflictProbe>>()>;
  using OnEvent = std::function<void(std::string name, std::string detail)>;

  /// After addresses have come: whoever had them before has had the time to take them off.
  static constexpr std::chrono::seconds kFirst{8};
  static constexpr std::chrono::seconds kInterval{60}, kIntervalInConflict{10};
  /// For answers to come.
  static constexpr std::chrono::seconds kListen{2};
  /// Each is a packet to every host of the link. Of the others no look is taken.
  static constexpr std::size_t kMost = 256, kAtOnce = 32;

  Conflicts(Open open, OnEvent on_event) : open_(std::move(open)), on_event_(std::move(on_event)) {}

  /// Addresses have come.
  void look_soon(Clock::time_point now) { due_ = now + kFirst; }
  /// Call it some times a second. `wanted`: those that count most first; of them those that are `held` are looked at, as far as
  /// they are not carried by a virtual link, whose MAC address the other node has too.
  void tend(Clock::time_point now, const std::vector<WantedAddress>& wanted, const HeldAddresses& held);
  /// The addresses belong here no more.
  void forget();

  /// "198.18.1.100 on net0 is also held by 02:00:00:00:00:99: …"
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct Asked {
    netlink::rtnl::Link link;
    netlink::IpAddress address;
  };
  struct Round {
    std::unique_ptr<netlink::rtnl::ConflictProbe> probe;
    std::deque<Asked> unasked;
    std::map<netlink::IpAddress, std::string> asked;  // and on which link
    std::map<netlink::IpAddress, std::set<netlink::rtnl::Mac>> heard;
    Clock::time_point until;
  };

  void begin(Clock::time_point now, const std::vector<WantedAddress>& wanted, const HeldAddresses& held);
  void ask_some(Clock::time_point now);
  void hear(const HeldAddresses& held);
  void conclude(Clock::time_point now);

  Open open_;
  OnEvent on_event_;
  std::optional<Clock::time_point> due_;
  std::optional<Round> round_;
  std::map<netlink::IpAddress, std::string> conflicts_;  // what is told of each
};

}  // namespace wsl4::addresses
