// Which interfaces of the machine a node's role depends on, and from which addresses it sends adverts. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/addresses/placement.h"
#include "daemon/config/config.h"

namespace wsl4::pair {

class TrackedLinks {
 public:
  using Links = std::vector<netlink::rtnl::Link>;
  using Present = std::vector<netlink::rtnl::InterfaceAddress>;

  explicit TrackedLinks(const config::Ha& ha) : named_(ha.track), sync_address_(ha.listen.address) {}

  /// The machine as it is, and what moves with the role.
  void look(const Links& links, const Present& present, const std::vector<addresses::WantedAddress>& moving);
  /// What moved at the last look.
  [[nodiscard]] const std::vector<addresses::WantedAddress>& moving() const { return moving_; }

  /// By name: ha.track, else where VIPs and pool addresses belong. An interface that is gone, or has lost its prefix, stays one of
  /// these until other addresses move and all of them belong somewhere: that is what it is tracked for.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// The interface that has ha.listen, or had it last; empty: none, or one where what moves belongs too.
  [[nodiscard]] const std::string& sync_link() const { return sync_link_; }

 private:
  const std::vector<std::string> named_;
  const netlink::IpAddress sync_address_;
  std::vector<addresses::WantedAddress> moving_;
  std::set<std::string> homes_;
  std::vector<std::string> names_;
  std::string sync_link_;
};

/// The addresses of ha.interface that adverts come from, at most one of a family, also of one that has no VIP yet. Of those with a
/// VIP one comes first, by which ties are broken. The error is one line that says what is missing.
[[nodiscard]] tl::expected<std::vector<netlink::IpAddress>, std::string> advert_sources(
    const config::Ha& ha, const std::vector<addresses::WantedAddress>& moving, const std::vector<netlink::IpAddress>& vips,
    const TrackedLinks::Links& links, const TrackedLinks::Present& present);

}  // namespace wsl4::pair
