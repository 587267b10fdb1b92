// Links, addresses and neighbours of this network namespace (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netlink/ip.h"
#include "netlink/result.h"

namespace wsl4::netlink::rtnl {

/// IFA_PROTO value that marks an address as put there by wsl4 (kernel >= 5.18; free for use above 3, IFAPROT_KERNEL_LL).
inline constexpr std::uint8_t kAddressProtocol = 0x34;

inline constexpr std::size_t kAddressesAtOnce = 64;

struct Link {
  int index = 0;
  std::string name;
  bool up = false;
  bool carrier = false;
  bool loopback = false;
  std::vector<std::uint8_t> mac;  // empty where there is none
};

struct InterfaceAddress {
  int link_index = 0;
  IpAddress address;
  std::uint8_t prefix_length = 0;
  std::uint8_t protocol = 0;  // IFA_PROTO; 0: not told, or somebody has configured the address again since
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// What the kernel knows of a neighbour's card (NUD_*, linux/neighbour.h).
enum class NeighbourState : std::uint8_t {
  kNone = 0,
  kIncomplete = 0x01,  // asked for, not answered yet
  kReachable = 0x02,
  kStale = 0x04,
  kDelay = 0x08,
  kProbe = 0x10,
  kFailed = 0x20,
  kNoArp = 0x40,      // needs no asking: multicast
  kPermanent = 0x80,  // configured by somebody
};

struct Neighbour {
  int link_index = 0;
  IpAddress address;
  std::vector<std::uint8_t> mac;  // empty where it is not known
  NeighbourState state = NeighbourState::kNone;
  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

class Rtnl {
 public:
  virtual ~Rtnl() = default;
  virtual Result<std::vector<Link>> links() = 0;
  virtual Result<std::vector<InterfaceAddress>> addresses() = 0;
  /// Whether a link or an address may have changed since the last call; the first answer is yes. Cheap where nothing happens.
  virtual bool changed() = 0;
  /// Of both families, on all links.
  virtual Result<std::vector<Neighbour>> neighbours() = 0;
  /// As /32 or /128 normally; IPv6 with nodad and preferred_lft 0, so that it is never chosen as a source. What became of each, in
  /// order: EEXIST if it is there. The kernel works on all of them in one call, at up to a millisecond each where there are many:
  /// give it about kAddressesAtOnce.
  virtual std::vector<Result<void>> add_addresses(std::span<const InterfaceAddress> addresses) = 0;
  /// EADDRNOTAVAIL if it is not there.
  virtual std::vector<Result<void>> remove_addresses(std::span<const InterfaceAddress> addresses) = 0;

  Result<void> add_address(const InterfaceAddress& address) { return add_addresses({&address, 1}).front(); }
  Result<void> remove_address(const InterfaceAddress& address) { return remove_addresses({&address, 1}).front(); }
};

Result<std::unique_ptr<Rtnl>> open_rtnl();

/// Tells neighbours on the link where `address` lives now: gratuitous ARP (request form, RFC 5944 4.6), or an unsolicited
/// neighbour advertisement with the override flag to ff02::1 (RFC 4861 7.2.6). Needs CAP_NET_RAW.
class Announcer {
 public:
  virtual ~Announcer() = default;
  virtual Result<void> announce(const Link& link, const IpAddress& address) = 0;
};
Result<std::unique_ptr<Announcer>> open_announcer();

}  // namespace wsl4::netlink::rtnl
