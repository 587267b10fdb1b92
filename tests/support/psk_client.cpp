#include "tests/support/psk_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "tests/support/socket_address.h"

namespace wsl4::test {
namespace {

netlink::Fd bound_socket(const netlink::Endpoint& endpoint) {
  netlink::Fd fd(::socket(netlink::to_af(endpoint.address.family()), SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_deadline(fd.get());
  const int on = 1;
  if (endpoint.port != 0) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SocketAddress local(endpoint);
  if (::bind(fd.get(), local.get(), local.size) != 0) throw std::runtime_error(std::string("bind: ") + std::strerror(errno));
  return fd;
}

}  // namespace

netlink::Fd connect_from(const netlink::IpAddress& from, const netlink::Endpoint& to) {
  auto fd = bound_socket({from, 0});
  SocketAddress remote(to);
  if (::connect(fd.get(), remote.get(), remote.size) != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  return fd;
}

netlink::Fd listen_at(const netlink::Endpoint& endpoint) {
  auto fd = bound_socket(endpoint);
  if (::listen(fd.get(), SOMAXCONN) != 0) throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  return fd;
}

std::uint16_t free_port(const netlink::IpAddress& address) {
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 16};
  constexpr unsigned kFirst = 20000, kCount = 12000;  // below those that the kernel picks (ip_local_port_range)
  for (;;) {
    const auto port = static_cast<std::uint16_t>(kFirst + next++ % kCount);
    try {
      (void)bound_socket({address, port});
      return port;
    } catch (const std::exception&) { continue; }
  }
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool is_closed(int fd) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size > 0) continue;
    return size == 0 || errno == ECONNRESET;
  }
}

namespace {

struct Shown {
  const std::string& id;
  const std::string& key;
};

int give_key(SSL* ssl, const EVP_MD*, const unsigned char** id, std::size_t* id_size, SSL_SESSION** session) {
  const auto* const shown = static_cast<const Shown*>(SSL_get_app_data(ssl));
  static constexpr unsigned char kSuite[] = {0x13, 0x01};
  *session = ::SSL_SESSION_new();
  ::SSL_SESSION_set1_master_key(*session, reinterpret_cast<const unsigned char*>(shown->key.data()), shown->key.size());
  ::SSL_SESSION_set_cipher(*session, ::SSL_CIPHER_find(ssl, kSuite));
  ::SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
  *id = reinterpret_cast<const unsigned char*>(shown->id.data());
  *id_size = shown->id.size();
  return 1;
}

void count_key_updates(int is_written, int, int type, const void* message, std::size_t size, SSL*, void* counter) {
  const bool is_key_update =
      type == SSL3_RT_HANDSHAKE && size > 0 && *static_cast<const unsigned char*>(message) == SSL3_MT_KEY_UPDATE;
  if (is_written == 0 && is_key_update) ++*static_cast<int*>(counter);
}

}  // namespace

PskClient::PskClient(netlink::Fd socket, std::string id, std::string key, int max_version)
    : socket_(std::move(socket)), id_(std::move(id)), key_(std::move(key)), context_(::SSL_CTX_new(::TLS_method())) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
  if (max_version != 0) ::SSL_CTX_set_max_proto_version(context_.get(), max_version);
  if (!key_.empty()) ::SSL_CTX_set_psk_use_session_callback(context_.get(), give_key);
  ::SSL_CTX_set_msg_callback(context_.get(), count_key_updates);
  ssl_.reset(::SSL_new(context_.get()));
  ::SSL_set_msg_callback_arg(ssl_.get(), &key_updates_);
  ::SSL_set_fd(ssl_.get(), socket_.get());
}

bool PskClient::handshake() {
  Shown shown{id_, key_};
  SSL_set_app_data(ssl_.get(), reinterpret_cast<char*>(&shown));
  const bool done = ::SSL_connect(ssl_.get()) == 1;
  SSL_set_app_data(ssl_.get(), nullptr);
  return done;
}

bool PskClient::answer_with_certificate(const std::string& certificate_file, const std::string& key_file) {
  return ::SSL_use_certificate_file(ssl_.get(), certificate_file.c_str(), SSL_FILETYPE_PEM) == 1 &&
         ::SSL_use_PrivateKey_file(ssl_.get(), key_file.c_str(), SSL_FILETYPE_PEM) == 1 && ::SSL_accept(ssl_.get()) == 1;
}

bool PskClient::send(std::string_view bytes) {
  return ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
}

std::string PskClient::receive(std::size_t size) {
  std::string bytes;
  std::array<char, 16384> buffer{};
  while (bytes.size() < size) {
    const int wanted = static_cast<int>(std::min(buffer.size(), size - bytes.size()));
    const int got = ::SSL_read(ssl_.get(), buffer.data(), wanted);
    if (got <= 0) break;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return bytes;
}

}  // namespace wsl4::test
