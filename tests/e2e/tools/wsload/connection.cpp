// What one connection of the client does.
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tests/e2e/tools/wsload/client.h"
#include "tests/e2e/tools/wsload/websocket.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

namespace wsload {
namespace {

std::array<char, 1U << 16> read_buffer;

/// Bytes that no other message has: a sequence that depends on its connection and number.
void make_payload(std::string& payload, std::uint64_t id, std::uint32_t sequence, std::uint32_t size) {
  payload.resize(std::max<std::size_t>(size, 8));
  std::uint64_t state = (id << 32 | sequence) * 0x9e3779b97f4a7c15U;  // an odd factor: no two are the same
  for (std::size_t at = 0; at < payload.size(); at += sizeof state) {
    std::memcpy(payload.data() + at, &state, std::min(sizeof state, payload.size() - at));
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;  // xorshift64
  }
}

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

void Client::connect_one() {
  const auto id = next_id_++;
  const int fd = socket(target_.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    ++opened_.failed[std::strerror(errno)];
    return;
  }
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  const auto source = sources_.at(id);
  const bool bound = bind(fd, source.get(), source.length) == 0;
  if (!bound || (connect(fd, target_.get(), target_.length) != 0 && errno != EINPROGRESS)) {
    ++opened_.failed[std::strerror(errno)];
    close(fd);
    return;
  }
  if (connections_.size() <= static_cast<std::size_t>(fd)) connections_.resize(static_cast<std::size_t>(fd) * 2);
  auto& connection = connections_[static_cast<std::size_t>(fd)] = std::make_unique<Connection>();
  connection->id = id;
  connection->fd = fd;
  ++connecting_;
  if (churning_) to_give_up_.push_back({Clock::now() + patience_, fd, id});
  loop_.add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  connection->writing = true;
}

void Client::serve(int fd, std::uint32_t events) {
  if (static_cast<std::size_t>(fd) >= connections_.size() || !connections_[static_cast<std::size_t>(fd)]) return;
  auto& connection = *connections_[static_cast<std::size_t>(fd)];
  if ((events & EPOLLERR) != 0) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return lose(connection, std::strerror(error));
  }
  if (connection.phase == Phase::kConnecting && (events & EPOLLOUT) != 0) {
    connection.phase = Phase::kHandshake;
    connection.out = fmt::format(
        "GET /echo HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        to_string(target_));
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) != 0 && !read_all(connection)) return;
  if ((!connection.out.empty() || connection.writing) && !flush(connection)) lose(connection, std::strerror(errno));
}

/// False if the connection is gone.
bool Client::read_all(Connection& connection) {
  for (;;) {
    const auto size = read(connection.fd, read_buffer.data(), read_buffer.size());
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return lose(connection, size == 0 ? "closed by the other end" : std::strerror(errno)), false;
    connection.in.append(read_buffer.data(), static_cast<std::size_t>(size));
    if (!take(connection)) return false;
    if (static_cast<std::size_t>(size) < read_buffer.size()) return true;
  }
}

bool Client::take(Connection& connection) {
  const int fd = connection.fd;
  if (connection.phase == Phase::kHandshake && !shake_hands(connection)) return false;
  Frame frame;
  while (connections_[static_cast<std::size_t>(fd)] && connection.phase == Phase::kOpen && !connection.in.empty()) {
    const auto parsed = parse_frame(connection.in, frame);
    if (parsed == Parsed::kIncomplete) return true;
    if (parsed == Parsed::kBroken || frame.masked) return lose(connection, "broken frame"), false;
    connection.in.erase(0, frame.size);
    if (frame.opcode == Opcode::kClose) return lose(connection, "close frame"), false;
    if (frame.opcode != Opcode::kBinary) continue;
    if (!check(connection, frame.payload)) return lose(connection, "wrong answer"), false;
    answered(connection);
  }
  return connections_[static_cast<std::size_t>(fd)] != nullptr;
}

bool Client::shake_hands(Connection& connection) {
  const auto end = connection.in.find("\r\n\r\n");
  if (end == std::string::npos) return true;
  const std::string head = connection.in.substr(0, end + 2);
  if (!head.starts_with("HTTP/1.1 101 ") || header(head, "Sec-WebSocket-Accept") != accept_key("dGhlIHNhbXBsZSBub25jZQ=="))
    return lose(connection, "handshake refused"), false;
  connection.in.erase(0, end + 4);
  connection.backend = header(head, "X-Backend");
  const auto peer = header(head, "X-Peer");
  connection.snat = peer.substr(0, peer.rfind(':'));
  const int fd = connection.fd;
  opened(connection);
  return connections_[static_cast<std::size_t>(fd)] != nullptr;
}

void Client::opened(Connection& connection) {
  connection.phase = Phase::kOpen;
  --connecting_;
  ++live_;
  ++opened_.ok;
  ++backends_[connection.backend];
  ++live_backends_[connection.backend];
  ++snats_[connection.snat];
  ++pairs_[connection.snat + " " + connection.backend];
  if (churning_ && !churn_echo_) return close_one(connection, churn_reset_);
  if (churning_) return send_message(connection, 64);
  if (streaming_) schedule(connection, Clock::now() + interval_);
}

void Client::schedule(Connection& connection, Clock::time_point at) {
  due_.push_back({at, connection.fd, connection.id});
  connection.scheduled = true;
}

/// The stream's. If echo()'s message is under way it misses one, so that the stream stays as even as it was.
void Client::take_turn(Connection& connection) {
  if (connection.waiting) return schedule(connection, Clock::now() + interval_);
  connection.scheduled = false;
  send_message(connection, message_size_);
}

/// Of what it was asked before, the answer comes first; answered() asks then.
void Client::ask(Connection& connection) {
  if (connection.asked != Asked::kSoon || connection.waiting) return;
  connection.asked = Asked::kSent;
  send_message(connection, echo_size_);
}

void Client::give_up(Connection& connection) { lose(connection, "no answer"); }

bool Client::check(Connection& connection, const std::string& payload) {
  if (connection.waiting && payload == connection.payload) return true;
  ++wrong_;
  return false;
}

void Client::answered(Connection& connection) {
  connection.waiting = false;
  if (connection.waiting_since < burst_begin_ || connection.waiting_since >= burst_end_)
    longest_ = std::max(longest_, Clock::now() - connection.waiting_since);
  --waiting_;
  ++messages_;
  if (connection.asked == Asked::kSent) {
    connection.asked = Asked::kNo;
    --unanswered_;
    ++answered_;
  }
  if (churning_) return close_one(connection, churn_reset_);
  if (flood_) return send_message(connection, message_size_);
  if (streaming_ && !connection.scheduled) schedule(connection, Clock::now() + interval_);
  ask(connection);
}

void Client::send_message(Connection& connection, std::uint32_t size) {
  ++connection.sequence;
  connection.waiting = true;
  connection.waiting_since = Clock::now();
  ++waiting_;
  const auto mask = static_cast<std::uint32_t>(connection.id * 2654435761U + connection.sequence);
  make_payload(connection.payload, connection.id, connection.sequence, size);
  append_frame(connection.out, Opcode::kBinary, connection.payload, mask);
  if (!flush(connection)) lose(connection, std::strerror(errno));
}

bool Client::flush(Connection& connection) {
  if (!connection.out.empty()) {
    const auto sent = send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
  }
  const bool more = !connection.out.empty();
  if (more != connection.writing) loop_.change(connection.fd, EPOLLIN | EPOLLRDHUP | (more ? std::uint32_t{EPOLLOUT} : 0U));
  connection.writing = more;
  return true;
}

void Client::lose(Connection& connection, const std::string& why) {
  ++(connection.phase == Phase::kOpen ? lost_ : opened_.failed)[why];
  close_one(connection, false);
}

void Client::close_one(Connection& connection, bool reset) {
  if (connection.waiting) --waiting_;
  if (connection.asked != Asked::kNo) --unanswered_;
  if (connection.phase == Phase::kOpen)
    --live_, --live_backends_[connection.backend];
  else
    --connecting_;
  if (reset) {
    const linger now{1, 0};
    setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  close(connection.fd);
  connections_[static_cast<std::size_t>(connection.fd)].reset();
}

}  // namespace wsload
