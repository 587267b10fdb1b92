#include "tests/e2e/tools/wsload/server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "tests/e2e/tools/wsload/websocket.h"

namespace wsload {
namespace {

std::array<char, 1U << 16> read_buffer;

int open_listener(const SocketAddress& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);  // several processes share an address: descriptors are limited
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(fd, address.get(), address.length) != 0 || listen(fd, 65535) != 0) {
    std::perror(to_string(address).c_str());
    std::exit(1);
  }
  return fd;
}

std::string address_of(int fd, bool peer) {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (peer)
    getpeername(fd, address.get(), &address.length);
  else
    getsockname(fd, address.get(), &address.length);
  return to_string(address);
}

}  // namespace

Server::Server(const std::vector<SocketAddress>& listen) {
  loop_.on_socket([this](int fd, std::uint32_t events) {
    if (static_cast<std::size_t>(fd) < is_listener_.size() && is_listener_[static_cast<std::size_t>(fd)])
      accept_from(fd);
    else
      serve(fd, events);
  });
  for (const auto& address : listen) {
    const int fd = open_listener(address);
    is_listener_.resize(static_cast<std::size_t>(fd) + 1);
    is_listener_[static_cast<std::size_t>(fd)] = true;
    loop_.add(fd, EPOLLIN);
  }
}

void Server::run() {
  answer(R"({"done":"listening"})");
  loop_.run([this](const std::string& line) { command(line); });
}

void Server::command(const std::string& line) {
  if (line != "report") return answer(fmt::format(R"({{"error":"unknown command {}"}})", line));
  answer(fmt::format(R"({{"done":"report","accepted":{},"open":{},"messages":{},"resets":{},"accept_errors":{}}})", accepted_,
                     open_, messages_, resets_, accept_errors_));
}

void Server::accept_from(int listener) {
  for (int i = 0; i < 128; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno != EAGAIN) ++accept_errors_;
      return;
    }
    if (connections_.size() <= static_cast<std::size_t>(fd)) connections_.resize(static_cast<std::size_t>(fd) * 2);
    connections_[static_cast<std::size_t>(fd)] = std::make_unique<Connection>();
    ++accepted_;
    ++open_;
    loop_.add(fd, EPOLLIN | EPOLLRDHUP);
  }
}

void Server::serve(int fd, std::uint32_t events) {
  if (static_cast<std::size_t>(fd) >= connections_.size() || !connections_[static_cast<std::size_t>(fd)]) return;
  auto& connection = *connections_[static_cast<std::size_t>(fd)];
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_all(fd, connection)) return drop(fd);
  if (!connection.out.empty() && !flush(fd, connection)) drop(fd);
}

bool Server::read_all(int fd, Connection& connection) {
  for (;;) {
    const auto size = read(fd, read_buffer.data(), read_buffer.size());
    if (size < 0 && errno == EAGAIN) return true;
    if (size < 0) ++resets_;
    if (size <= 0) return false;
    connection.in.append(read_buffer.data(), static_cast<std::size_t>(size));
    if (!connection.open && !shake_hands(fd, connection)) return false;
    if (connection.open && !echo_frames(connection)) {
      flush(fd, connection);  // the answer to a close frame
      return false;
    }
    if (static_cast<std::size_t>(size) < read_buffer.size()) return true;
  }
}

bool Server::shake_hands(int fd, Connection& connection) {
  const auto end = connection.in.find("\r\n\r\n");
  if (end == std::string::npos) return connection.in.size() < 8192;
  const std::string head = connection.in.substr(0, end + 2);
  const auto key = header(head, "Sec-WebSocket-Key");
  if (key.empty()) return false;
  connection.out += fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n"
      "X-Backend: {}\r\nX-Peer: {}\r\n\r\n",
      accept_key(key), address_of(fd, false), address_of(fd, true));
  connection.in.erase(0, end + 4);
  connection.open = true;
  return true;
}

bool Server::echo_frames(Connection& connection) {
  std::string_view in = connection.in;
  Frame frame;
  bool alive = true;
  while (alive && !in.empty()) {
    const auto parsed = parse_frame(in, frame);
    if (parsed == Parsed::kIncomplete) break;
    if (parsed == Parsed::kBroken || !frame.masked) return false;
    in.remove_prefix(frame.size);
    const auto reply = frame.opcode == Opcode::kPing ? Opcode::kPong : frame.opcode;
    if (frame.opcode != Opcode::kPong) append_frame(connection.out, reply, frame.payload, std::nullopt);
    alive = frame.opcode != Opcode::kClose;
    ++messages_;
  }
  connection.in.erase(0, connection.in.size() - in.size());
  if (connection.in.empty() && connection.in.capacity() > 4096) std::string().swap(connection.in);
  return alive;
}

bool Server::flush(int fd, Connection& connection) {
  const auto sent = send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
  const bool more = !connection.out.empty();
  if (more != connection.writing) loop_.change(fd, EPOLLIN | EPOLLRDHUP | (more ? std::uint32_t{EPOLLOUT} : 0U));
  connection.writing = more;
  return true;
}

void Server::drop(int fd) {
  connections_[static_cast<std::size_t>(fd)].reset();
  --open_;
  close(fd);
}

}  // namespace wsload
