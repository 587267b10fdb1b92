// What tests of TLS servers need: certificates made on the spot, and a client that sends bytes as they are within TLS.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "tests/support/http_bed.h"

namespace wsl4::test {

/// Writes a new key and a certificate for it, signed with itself, as PEM.
void make_certificate(const std::string& certificate_file, const std::string& key_file);

struct HandshakeFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A RawClient under TLS, which takes any certificate.
class TlsClient : public RawClient {
 public:
  /// Throws HandshakeFailed. `version`: TLS1_2_VERSION, …; 0: the best that both have.
  explicit TlsClient(std::uint16_t port, int version = 0);

  [[nodiscard]] std::string version() const { return ::SSL_get_version(ssl_.get()); }
  /// A digest of the server's.
  [[nodiscard]] std::string certificate() const;
  /// Whether the server ended TLS with close_notify, and not by just closing. After `closed`.
  [[nodiscard]] bool was_told_the_end() const { return (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 protected:
  long write_some(const char* bytes, std::size_t size) override;
  long read_some(char* bytes, std::size_t size) override;

 private:
  struct Free {
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace wsl4::test
