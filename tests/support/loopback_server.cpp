#include "tests/support/loopback_server.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "daemon/util/to_asio.h"
#include "tests/support/socket_address.h"

namespace wsl4::test {
namespace {

constexpr int kBacklog = 1024;

netlink::Endpoint to_endpoint(const sockaddr_storage& raw) {
  boost::asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &raw, endpoint.capacity());
  return {*netlink::IpAddress::parse(endpoint.address().to_string()), endpoint.port()};
}

netlink::Endpoint local_of(int fd) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &size);
  return to_endpoint(raw);
}

netlink::Fd bound_socket(const std::string& address, int flags = 0) {
  const auto endpoint = util::to_asio({*netlink::IpAddress::parse(address), 0});
  netlink::Fd fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) throw std::runtime_error("bind " + address);
  return fd;
}

/// Whether a connection stands at once; without, SYNs go unanswered.
bool connects(int fd, const netlink::Endpoint& to) {
  const auto endpoint = util::to_asio(to);
  if (::connect(fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0) return true;
  pollfd waiting{fd, POLLOUT, 0};
  return ::poll(&waiting, 1, 100) == 1;  // loopback answers within the call
}

}  // namespace

Peer::~Peer() {
  if (ssl_ != nullptr && !reset_) SSL_shutdown(ssl_);
  SSL_free(ssl_);
}

bool Peer::accept_tls(SSL_CTX* context) {
  ssl_ = SSL_new(context);
  SSL_set_fd(ssl_, fd_);
  if (SSL_accept(ssl_) == 1) return true;
  reset_ = true;  // nothing may be sent any more
  return false;
}

std::string Peer::tls_name() const {
  const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

std::string Peer::read_some() {
  std::array<char, 4096> space{};
  const auto size =
      ssl_ != nullptr ? SSL_read(ssl_, space.data(), static_cast<int>(space.size())) : ::recv(fd_, space.data(), space.size(), 0);
  if (size > 0) return {space.data(), static_cast<std::size_t>(size)};
  reset_ |= size < 0 && errno == ECONNRESET;
  return {};
}

std::string Peer::read_head() {
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    const auto more = read_some();
    if (more.empty()) break;
    head += more;
  }
  return head;
}

void Peer::send(std::string_view bytes) {
  if (ssl_ != nullptr)
    SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
  else
    reset_ |= ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0;
}

Peer::End Peer::wait_for_end() {
  while (!read_some().empty()) {}
  return reset_ ? End::kReset : End::kClosed;
}

bool Peer::ends_within(std::chrono::milliseconds time) {
  pollfd waiting{fd_, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(time.count())) == 1 && read_some().empty();
}

void Peer::end_sending() { ::shutdown(fd_, SHUT_WR); }

netlink::Endpoint Peer::from() const {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  ::getpeername(fd_, reinterpret_cast<sockaddr*>(&raw), &size);
  return to_endpoint(raw);
}

LoopbackServer::LoopbackServer(Handler handler, const std::string& address)
    : handler_(std::move(handler)), listener_(bound_socket(address)), endpoint_(local_of(listener_.get())) {
  ::listen(listener_.get(), kBacklog);
  acceptor_ = std::thread([this] { accept(); });
}

LoopbackServer::~LoopbackServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

void LoopbackServer::accept() {
  for (int fd = 0; (fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    set_deadline(fd);
    ++connections_;
    {
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      most_ = std::max(most_.load(), open_.size());
    }
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void LoopbackServer::serve(int fd) {
  {
    Peer peer(fd);
    handler_(peer);
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

RefusingPort::RefusingPort() : socket_(bound_socket("127.0.0.1")), endpoint_(local_of(socket_.get())) {}

SilentPort::SilentPort() : listener_(bound_socket("127.0.0.1")), endpoint_(local_of(listener_.get())) {
  ::listen(listener_.get(), 0);
  do queued_.push_back(bound_socket("127.0.0.1", SOCK_NONBLOCK));
  while (connects(queued_.back().get(), endpoint_));
}

int descriptor_of(const netlink::Endpoint& local) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename().string());
    sockaddr_storage raw{};
    socklen_t size = sizeof raw;
    const bool is_socket = ::getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &size) == 0;
    if (is_socket && (raw.ss_family == AF_INET || raw.ss_family == AF_INET6) && to_endpoint(raw) == local) return fd;
  }
  return -1;
}

std::size_t descriptors() {
  std::size_t number = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++number;
  return number;
}

}  // namespace wsl4::test
