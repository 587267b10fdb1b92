#pragma once

#include <string_view>

#include "netlink/ip.h"

namespace wsl4::election {

inline netlink::IpAddress ip(std::string_view text) { return netlink::IpAddress::parse(text).value(); }

}  // namespace wsl4::election
