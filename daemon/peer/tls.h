// TLS 1.3 between the two nodes (RFC 8446): a pre-shared key proves each end to the other, an ephemeral X25519 or P-256 exchange
// keeps old recordings closed should the key leak. One suite, TLS_AES_128_GCM_SHA256, since a key is tied to a hash. No
// certificates, no tickets, no early data.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <tl/expected.hpp>

#include "daemon/peer/key_file.h"
#include "daemon/peer/refusal.h"

namespace wsl4::peer {

/// For both ends. Must outlive the connections that use it; does not move.
class Tls {
 public:
  /// `keys`: at least one.
  [[nodiscard]] static tl::expected<std::shared_ptr<Tls>, std::string> make(Keys keys);
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  [[nodiscard]] boost::asio::ssl::context& context() { return context_; }

  /// After a handshake that succeeded: whether the other end has shown a key. Without it nothing may be taken from there.
  [[nodiscard]] static bool key_was_shown(SSL* ssl);
  /// Why a handshake failed.
  [[nodiscard]] static Refusal why_failed(SSL* ssl, const boost::system::error_code& error);
  /// Why reading failed after it: a record that is not the next one of the other end, whose alerts are none.
  [[nodiscard]] static bool was_tampered(const boost::system::error_code& error);
  /// From the next record on this end sends under new keys.
  static void renew_keys(SSL* ssl);

 private:
  explicit Tls(Keys keys);
  static int use_session(SSL* ssl, const EVP_MD* hash, const unsigned char** id, std::size_t* id_size, SSL_SESSION** session);
  static int find_session(SSL* ssl, const unsigned char* id, std::size_t id_size, SSL_SESSION** session);

  Keys keys_;
  boost::asio::ssl::context context_;
};

}  // namespace wsl4::peer
