// What status shows of backends that joined by themselves.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "daemon/discovery/refresh.h"
#include "daemon/service/joined.h"

namespace wsl4::runtime {

struct JoinedView {
  using Key = std::pair<std::string, netlink::Endpoint>;  // service, address
  struct Lookup {
    std::string setting;
    discovery::Status status;
  };
  service::Origins origins;
  std::map<Key, service::Leases::Steady> lapses;  // of registrations
  std::map<std::string, Lookup> lookups;          // by service
};

}  // namespace wsl4::runtime
