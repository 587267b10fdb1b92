#include "daemon/http/tls.h"

#include <openssl/ssl.h>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>

#include "daemon/util/file.h"

namespace wsl4::http {

namespace asio = boost::asio;

tl::expected<std::unique_ptr<asio::ssl::context>, std::string> make_tls_server(const std::string& certificate_file,
                                                                               const std::string& key_file) {
  const auto certificate = util::read_file(certificate_file);
  if (!certificate) return tl::make_unexpected(certificate.error());
  const auto key = util::read_file(key_file);
  if (!key) return tl::make_unexpected(key.error());

  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);  // clients keep their sessions themselves, as tickets
  boost::system::error_code error;
  // Without it OpenSSL would ask for a passphrase on the terminal.
  context->set_password_callback([](std::size_t, asio::ssl::context::password_purpose) { return std::string(); }, error);
  context->use_certificate_chain(asio::buffer(*certificate), error);
  if (error) return tl::make_unexpected(fmt::format("{} is not a PEM certificate: {}", certificate_file, error.message()));
  context->use_private_key(asio::buffer(*key), asio::ssl::context::pem, error);
  if (error) {
    return tl::make_unexpected(fmt::format("{} is not a PEM key without a passphrase that belongs to {}: {}", key_file,
                                           certificate_file, error.message()));
  }
  return context;
}

}  // namespace wsl4::http
