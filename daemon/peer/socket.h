// The sockets of the link.
#pragma once

#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::peer {

/// Listens, also where no interface has the address yet. The error says what could not be bound and why.
[[nodiscard]] tl::expected<boost::asio::ip::tcp::acceptor, std::string> listen(boost::asio::io_context& io,
                                                                               const netlink::Endpoint& endpoint);

/// A socket to connect with: from `local`, at a port that the kernel picks.
[[nodiscard]] boost::asio::ip::tcp::socket open_from(boost::asio::io_context& io, const netlink::IpAddress& local,
                                                     boost::system::error_code& error);

/// What all connections of the link have: no delay of small segments; an end after about 1 s without an acknowledgement, or 3 s of
/// silence; at most 128 KiB of unsent bytes in the kernel, so that a heartbeat does not stand behind much.
void tune(boost::asio::ip::tcp::socket& socket);

}  // namespace wsl4::peer
