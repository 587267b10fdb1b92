// Our endpoints as Asio's.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "netlink/ip.h"

namespace wsl4::util {

[[nodiscard]] boost::asio::ip::tcp::endpoint to_asio(const netlink::Endpoint& endpoint);

}  // namespace wsl4::util
