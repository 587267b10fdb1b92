// A self-signed certificate, made on the spot.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace wsl4::test {

struct CertificateOptions {
  std::string names = "DNS:chat.example.com,IP:127.0.0.1";  // subjectAltName as OpenSSL writes it
  bool expired = false;
};

class Certificate {
 public:
  explicit Certificate(const CertificateOptions& options = {});

  /// For a server that shows it.
  [[nodiscard]] SSL_CTX* server() const { return server_.get(); }
  /// As a file holds it: what clients trust.
  [[nodiscard]] std::string pem() const;

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> server_;
};

}  // namespace wsl4::test
