// Links, addresses and neighbours of this network namespace (rtnetlink(7)).
#pragma once

#include <array>
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
  bool port = false;              // of a bridge, a bond or the like, which takes all of its frames
  std::string kind{};             // of a link made by software ("macvlan", "veth"); else empty
};

/// Of an Ethernet card, as a link's `mac` has it; nullopt: it is none.
using Mac = std::array<std::uint8_t, 6>;
[[nodiscard]] std::optional<Mac> mac_of(const Link& link);

/// A link with a MAC address of its own on another one, which takes and sends its frames (linux/if_link.h, IFLA_MACVLAN_*).
struct NewMacvlan {
  std::string name;  // at most 15 characters (IFNAMSIZ)
  int parent_index = 0;
  std::vector<std::uint8_t> mac;
};

struct InterfaceAddress {
  int link_index = 0;
  IpAddress address;
  std::uint8_t prefix_length = 0;
  std::uint8_t protocol = 0;  // IFA_PROTO; 0: not told, or somebody has configured the address again since
  bool routed = true;         // its prefix is reached through the link: not IFA_F_NOPREFIXROUTE
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

  /// Down, in mode bridge: a frame that comes from outside with the link's own MAC address as its source still reaches the parent.
  /// EEXIST: the name is taken; EBUSY: the parent is a port of a bridge; EINVAL: it is no Ethernet; EOPNOTSUPP: no such kernel.
  virtual Result<void> add_macvlan(const NewMacvlan& link) = 0;
  /// With its addresses. ENODEV if it is not there.
  virtual Result<void> remove_link(int index) = 0;
  /// Its IPv6 addresses go with it when it goes down. EADDRINUSE: another link that is up has its MAC address on the same parent.
  virtual Result<void> set_link(int index, bool up) = 0;
  /// Whether this kernel can make a macvlan; may load its module. EPERM without CAP_NET_ADMIN.
  virtual Result<bool> knows_macvlan() = 0;

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
