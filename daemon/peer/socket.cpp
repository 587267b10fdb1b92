#include "daemon/peer/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fmt/format.h>
#include <boost/asio/ip/v6_only.hpp>

#include "daemon/util/to_asio.h"

namespace wsl4::peer {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int kBacklog = 1024;  // a flood is better queued and taken off than left to SYN retransmissions, the peer's among them
constexpr int kUserTimeout = 1000;                               // ms, tcp(7)
constexpr int kKeepIdle = 1, kKeepInterval = 1, kKeepCount = 2;  // s, s, probes
constexpr int kUnsentLimit = 128 << 10;                          // bytes

void set(int fd, int level, int name, int value) { (void)::setsockopt(fd, level, name, &value, sizeof value); }

}  // namespace

tl::expected<tcp::acceptor, std::string> listen(asio::io_context& io, const netlink::Endpoint& endpoint) {
  const auto address = util::to_asio(endpoint);
  tcp::acceptor acceptor(io);
  error_code error;
  acceptor.open(address.protocol(), error);
  if (!error) {
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    set(acceptor.native_handle(), IPPROTO_IP, IP_FREEBIND, 1);  // holds for IPv6 too
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error && address.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(address, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error) return tl::make_unexpected(fmt::format("ha.listen {}: {}", endpoint.to_string(), error.message()));
  return acceptor;
}

tcp::socket open_from(asio::io_context& io, const netlink::IpAddress& local, error_code& error) {
  const auto address = util::to_asio({local, 0});
  tcp::socket socket(io);
  socket.open(address.protocol(), error);
  if (error) return socket;
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  socket.bind(address, error);
  return socket;
}

void tune(tcp::socket& socket) {
  const int fd = socket.native_handle();
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeout);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdle);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepInterval);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentLimit);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

}  // namespace wsl4::peer
