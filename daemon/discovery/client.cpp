#include "daemon/discovery/client.h"

#include <netinet/in.h>
#include <sys/time.h>

#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::discovery {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kUdpAnswerSize = 1232;  // bytes offered by EDNS: what surely is not fragmented
constexpr int kClassInternet = 1;

int set_servers(ares_channel channel, const std::vector<netlink::Endpoint>& servers) {
  std::vector<ares_addr_port_node> nodes(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const auto bytes = servers[i].address.bytes();
    nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    nodes[i].family = netlink::to_af(servers[i].address.family());
    std::memcpy(&nodes[i].addr, bytes.data(), bytes.size());
    nodes[i].udp_port = nodes[i].tcp_port = servers[i].port;
  }
  return ares_set_servers_ports(channel, nodes.data());
}

std::string reason(int status) {
  // What it says of servers that cannot be reached, it says of SERVFAIL too.
  if (status == ARES_ECONNREFUSED) return "no server answers, or all that do fail (SERVFAIL, REFUSED)";
  return ares_strerror(status);
}

}  // namespace

/// One of c-ares's sockets. c-ares opens and closes it; here it is only watched.
struct Client::Socket {
  explicit Socket(asio::io_context& io) : descriptor(io) {}

  asio::posix::stream_descriptor descriptor;  // open: c-ares has not closed it yet
  bool wanted[2] = {false, false};            // by Direction
  bool waiting[2] = {false, false};
};

tl::expected<std::shared_ptr<Client>, std::string> Client::open(asio::io_context& io, const ClientOptions& options) {
  std::shared_ptr<Client> client(new Client(io));
  const int status = client->start(options);
  if (status != ARES_SUCCESS) return tl::make_unexpected(fmt::format("the resolver cannot start: {}", ares_strerror(status)));
  return client;
}

int Client::start(const ClientOptions& options) {
  ares_options settings{};
  settings.flags = ARES_FLAG_EDNS;
  settings.ednspsz = kUdpAnswerSize;
  settings.timeout = static_cast<int>(options.timeout.count());
  settings.tries = options.tries;
  settings.sock_state_cb_data = this;
  settings.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Client*>(self)->watch(fd, readable != 0, writable != 0);
  };
  const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  const int status = ares_init_options(&channel_, &settings, mask);
  if (status != ARES_SUCCESS || options.servers.empty()) return status;
  return set_servers(channel_, options.servers);
}

void Client::close() {
  // c-ares ends its questions and closes its sockets within the call, and tells of both.
  if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
  timer_.cancel();
}

asio::awaitable<std::vector<Reply>> Client::ask(std::vector<Question> questions) {
  questions_ = std::move(questions);
  replies_.assign(questions_.size(), tl::make_unexpected(std::string("given up")));
  asked_.clear();
  for (std::size_t i = 0; i < questions_.size(); ++i) asked_.push_back({this, i});
  next_ = 0;
  done_.expires_at(asio::steady_timer::time_point::max());
  ask_more();
  arm_timer();
  while (in_flight_ > 0) {
    error_code cancelled;
    auto token = asio::redirect_error(asio::use_awaitable, cancelled);
    co_await done_.async_wait(token);
  }
  co_return std::move(replies_);
}

// What fails at once is told within ares_query: the loop here goes on with the next one, not a call within that call.
void Client::ask_more() {
  if (std::exchange(asking_more_, true)) return;
  while (channel_ != nullptr && in_flight_ < kMaxInFlight && next_ < questions_.size()) {
    const Question& question = questions_[next_];
    Asked& asked = asked_[next_++];
    ++in_flight_;
    const auto callback = [](void* pointer, int status, int, unsigned char* message, int size) {
      const auto* answered = static_cast<Asked*>(pointer);
      answered->client->take(answered->index, status, {message, message == nullptr ? 0 : static_cast<std::size_t>(size)});
    };
    ares_query(channel_, question.name.c_str(), kClassInternet, static_cast<int>(question.type), callback, &asked);
  }
  asking_more_ = false;
}

void Client::take(std::size_t index, int status, std::span<const std::uint8_t> message) {
  if (status == ARES_SUCCESS) {
    replies_[index] = parse_answer(message, questions_[index]);
  } else if (status == ARES_ENODATA || status == ARES_ENOTFOUND) {
    replies_[index] = Answer{};
  } else {
    replies_[index] = tl::make_unexpected(reason(status));
  }
  --in_flight_;
  ask_more();
  if (in_flight_ == 0) done_.cancel();
}

void Client::watch(int fd, bool readable, bool writable) {
  auto& socket = sockets_[fd];
  if (!readable && !writable) {
    if (socket) socket->descriptor.release();  // c-ares closes it next; who still waits for it is told that it is gone
    sockets_.erase(fd);
    return;
  }
  if (!socket) {
    socket = std::make_shared<Socket>(io_);
    error_code error;
    socket->descriptor.assign(fd, error);  // one that cannot be watched ends in c-ares's timeout
  }
  socket->wanted[0] = readable;
  socket->wanted[1] = writable;
  wait_for(socket, Direction::kRead);
  wait_for(socket, Direction::kWrite);
}

void Client::wait_for(const std::shared_ptr<Socket>& socket, Direction direction) {
  const auto index = static_cast<std::size_t>(direction);
  if (!socket->descriptor.is_open() || !socket->wanted[index] || std::exchange(socket->waiting[index], true)) return;
  const bool reads = direction == Direction::kRead;
  const auto type = reads ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write;
  socket->descriptor.async_wait(type, [self = weak_from_this(), socket, direction, index, reads](error_code) {
    socket->waiting[index] = false;
    const auto client = self.lock();
    if (!client || !socket->descriptor.is_open()) return;
    const int fd = socket->descriptor.native_handle();
    client->process(reads ? fd : ARES_SOCKET_BAD, reads ? ARES_SOCKET_BAD : fd);
    client->wait_for(socket, direction);
  });
}

void Client::process(int readable_fd, int writable_fd) {
  if (channel_ == nullptr) return;
  ares_process_fd(channel_, readable_fd, writable_fd);
  arm_timer();
}

void Client::arm_timer() {
  timeval left{};
  if (channel_ == nullptr || ares_timeout(channel_, nullptr, &left) == nullptr) return;
  timer_.expires_after(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
  timer_.async_wait([self = weak_from_this()](error_code error) {
    const auto client = self.lock();
    if (client && !error) client->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace wsl4::discovery
