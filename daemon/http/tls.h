// What a TLS server needs of OpenSSL.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>
#include <tl/expected.hpp>

namespace wsl4::http {

/// TLS 1.2 and 1.3, without renegotiation. Both files are PEM: a certificate with those that lead to its root, and its key, which
/// must not have a passphrase. The error names the file and says what is wrong with it.
[[nodiscard]] tl::expected<std::unique_ptr<boost::asio::ssl::context>, std::string> make_tls_server(
    const std::string& certificate_file, const std::string& key_file);

}  // namespace wsl4::http
