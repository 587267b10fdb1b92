#include "tests/support/tls_bed.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

namespace wsl4::test {
namespace {

template <class T, class Free>
std::unique_ptr<T, Free> own(T* object, Free free) {
  if (object == nullptr) throw std::runtime_error("OpenSSL cannot make a certificate");
  return {object, free};
}

std::string last_error() {
  std::array<char, 256> text{};
  ::ERR_error_string_n(::ERR_get_error(), text.data(), text.size());
  return text.data();
}

}  // namespace

void make_certificate(const std::string& certificate_file, const std::string& key_file) {
  const auto key = own(::EVP_EC_gen("P-256"), ::EVP_PKEY_free);
  const auto certificate = own(::X509_new(), ::X509_free);
  ::X509_set_version(certificate.get(), X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate.get()), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* name = ::X509_get_subject_name(certificate.get());
  const std::string host = "wsl4.example";
  ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(host.data()), -1, -1, 0);
  ::X509_set_issuer_name(certificate.get(), name);
  ::X509_set_pubkey(certificate.get(), key.get());
  ::X509_sign(certificate.get(), key.get(), ::EVP_sha256());

  const auto certificate_out = own(std::fopen(certificate_file.c_str(), "we"), std::fclose);
  const auto key_out = own(std::fopen(key_file.c_str(), "we"), std::fclose);
  ::PEM_write_X509(certificate_out.get(), certificate.get());
  ::PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

TlsClient::TlsClient(std::uint16_t port, int version)
    : RawClient(port), context_(::SSL_CTX_new(::TLS_client_method())), ssl_(::SSL_new(context_.get())) {
  if (version != 0) {
    ::SSL_set_security_level(ssl_.get(), 0);  // even what OpenSSL thinks too old
    ::SSL_set_min_proto_version(ssl_.get(), version);
    ::SSL_set_max_proto_version(ssl_.get(), version);
  }
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
  ::SSL_set_fd(ssl_.get(), fd_.get());
  ::ERR_clear_error();
  if (::SSL_connect(ssl_.get()) != 1) throw HandshakeFailed(last_error());
}

std::string TlsClient::certificate() const {
  const auto certificate = own(::SSL_get1_peer_certificate(ssl_.get()), ::X509_free);
  std::string digest(EVP_MAX_MD_SIZE, 0);
  unsigned size = 0;
  ::X509_digest(certificate.get(), ::EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  digest.resize(size);
  return digest;
}

long TlsClient::write_some(const char* bytes, std::size_t size) {
  ::ERR_clear_error();
  return ::SSL_write(ssl_.get(), bytes, static_cast<int>(size));
}

long TlsClient::read_some(char* bytes, std::size_t size) {
  ::ERR_clear_error();
  errno = 0;
  return ::SSL_read(ssl_.get(), bytes, static_cast<int>(size));
}

}  // namespace wsl4::test
