// The client's side of TLS for health checks.
#pragma once

#include <string>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>

namespace wsl4::health {

/// Trusts the machine's certificate authorities (OpenSSL's default paths, as they are now).
[[nodiscard]] boost::asio::ssl::context make_tls_context();

/// `peer` is a host name, or an address. A name is sent as server name (SNI, RFC 6066). With `verify` the certificate must be
/// valid and be `peer`'s. False if OpenSSL refuses the name.
[[nodiscard]] bool expect_peer(SSL* ssl, const std::string& peer, bool verify);

/// Why a handshake failed: "certificate has expired", "wrong version number".
[[nodiscard]] std::string handshake_failure(SSL* ssl, const boost::system::error_code& error);

}  // namespace wsl4::health
