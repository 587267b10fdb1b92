#include "daemon/health/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "netlink/ip.h"

namespace wsl4::health {

boost::asio::ssl::context make_tls_context() {
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_client);
  boost::system::error_code ignored;  // without authorities every verification fails, and says so
  context.set_default_verify_paths(ignored);
  return context;
}

bool expect_peer(SSL* ssl, const std::string& peer, bool verify) {
  const bool is_address = netlink::IpAddress::parse(peer).has_value();
  // The macro SSL_set_tlsext_host_name casts the old way.
  if (!is_address && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(peer.c_str())) != 1)
    return false;
  if (!verify) {
    SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
    return true;
  }
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, peer.c_str()) == 1
                    : X509_VERIFY_PARAM_set1_host(wanted, peer.c_str(), peer.size()) == 1;
}

std::string handshake_failure(SSL* ssl, const boost::system::error_code& error) {
  const long verified = SSL_get_verify_result(ssl);
  if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  return error.message();
}

}  // namespace wsl4::health
