// One end of a TCP connection that speaks TLS with a pre-shared key, or claims to, or sends anything else: for tests of the link
// between two nodes. Blocking, with a generous deadline.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "netlink/handle.h"
#include "netlink/ip.h"

namespace wsl4::test {

/// A connected TCP socket, from an address to an endpoint; throws if it cannot be had.
[[nodiscard]] netlink::Fd connect_from(const netlink::IpAddress& from, const netlink::Endpoint& to);
/// A listening TCP socket; throws if it cannot be had.
[[nodiscard]] netlink::Fd listen_at(const netlink::Endpoint& endpoint);
/// A port of the address that nobody has.
[[nodiscard]] std::uint16_t free_port(const netlink::IpAddress& address);
/// Sends all of it; false if the other end has closed.
bool send_all(int fd, std::string_view bytes);
/// Whether the other end closes, whatever it sends before.
[[nodiscard]] bool is_closed(int fd);

class PskClient {
 public:
  /// `key`: 32 bytes, named `id`; none: TLS without a key. `max_version`: 0 is the best there is.
  PskClient(netlink::Fd socket, std::string id, std::string key, int max_version = 0);

  [[nodiscard]] bool handshake();
  /// Answers a handshake instead, with a certificate and without any key.
  [[nodiscard]] bool answer_with_certificate(const std::string& certificate_file, const std::string& key_file);
  bool send(std::string_view bytes);
  /// So many bytes; fewer at the end.
  std::string receive(std::size_t size);
  [[nodiscard]] int fd() const { return socket_.get(); }
  /// How often the other end has begun to send under new keys (RFC 8446 4.6.3).
  [[nodiscard]] int key_updates() const { return key_updates_; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  };
  netlink::Fd socket_;
  std::string id_, key_;
  int key_updates_ = 0;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace wsl4::test
