// Addresses that have left the configuration while flows of a pair use them, on either node. The active has them on its interfaces
// still; the other one needs them when it takes the role. Pure.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "daemon/addresses/placement.h"

namespace wsl4::addresses {

class LastingAddresses {
 public:
  /// The configuration has these from now on. Any of those before may be in use, until somebody tells.
  void configure(std::vector<WantedAddress> wanted);
  /// Flows use these, and no others. `leftover`: ours that this node has on its interfaces and wants no more.
  void note_use(std::set<netlink::IpAddress> in_use, const std::set<netlink::IpAddress>& leftover);

  /// As the configuration had them; those of the peer's alone belong where their network is.
  [[nodiscard]] const std::vector<WantedAddress>& addresses() const { return lasting_; }

 private:
  std::vector<WantedAddress> wanted_, lasting_;
  std::map<netlink::IpAddress, WantedAddress> former_;
};

}  // namespace wsl4::addresses
