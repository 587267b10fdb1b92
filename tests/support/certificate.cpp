#include "tests/support/certificate.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace wsl4::test {
namespace {

constexpr long kDay = 24 * 60 * 60;

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

Certificate::Certificate(const CertificateOptions& options)
    : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free),
      certificate_(X509_new(), &X509_free),
      server_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
  X509* const certificate = certificate_.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.expired ? -kDay : kDay);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("wsl4 test"), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_set_pubkey(certificate, key_.get());
  add_extension(certificate, NID_subject_alt_name, options.names);
  X509_sign(certificate, key_.get(), EVP_sha256());
  SSL_CTX_use_certificate(server_.get(), certificate);
  SSL_CTX_use_PrivateKey(server_.get(), key_.get());
}

std::string Certificate::pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(bio.get(), certificate_.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace wsl4::test
