#include "daemon/peer/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

namespace wsl4::peer {

namespace asio = boost::asio;

namespace {

constexpr const char* kSuite = "TLS_AES_128_GCM_SHA256";
constexpr unsigned char kSuiteNumber[] = {0x13, 0x01};  // RFC 8446 B.4
constexpr const char* kGroups = "X25519:P-256";
constexpr int kFirstAlert = 1000;  // SSL_AD_REASON_OFFSET: reasons from here on are alerts that came from the other end

/// Where our own data hangs at OpenSSL's objects; index 0 is Asio's.
int context_index() {
  static const int kIndex = ::CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}
int unknown_key_index() {
  static const int kIndex = ::CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

/// What OpenSSL takes for a pre-shared key; its own from then on. nullptr without memory.
SSL_SESSION* make_session(SSL* ssl, const Key& key) {
  SSL_SESSION* const session = ::SSL_SESSION_new();
  const SSL_CIPHER* const suite = ::SSL_CIPHER_find(ssl, kSuiteNumber);
  if (session == nullptr || suite == nullptr || ::SSL_SESSION_set1_master_key(session, key.bytes().data(), Key::kSize) != 1 ||
      ::SSL_SESSION_set_cipher(session, suite) != 1 || ::SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
    ::SSL_SESSION_free(session);
    return nullptr;
  }
  return session;
}

int reason_of(const boost::system::error_code& error) { return ERR_GET_REASON(static_cast<unsigned long>(error.value())); }

Refusal of_reason(int reason) {
  if (reason >= kFirstAlert) return Refusal::kRefusedByPeer;
  switch (reason) {
    case SSL_R_BINDER_DOES_NOT_VERIFY:
    case SSL_R_DIGEST_CHECK_FAILED:
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return Refusal::kWrongKey;
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_MISSING_SIGALGS_EXTENSION:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return Refusal::kNoKey;
    default:
      return Refusal::kNoTls;
  }
}

}  // namespace

Tls::Tls(Keys keys) : keys_(std::move(keys)), context_(asio::ssl::context::tls) {}

tl::expected<std::shared_ptr<Tls>, std::string> Tls::make(Keys keys) {
  std::shared_ptr<Tls> tls(new Tls(std::move(keys)));
  SSL_CTX* const native = tls->context_.native_handle();
  const bool done = ::SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) == 1 &&
                    ::SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION) == 1 &&
                    ::SSL_CTX_set_ciphersuites(native, kSuite) == 1 && ::SSL_CTX_set1_groups_list(native, kGroups) == 1 &&
                    ::SSL_CTX_set_num_tickets(native, 0) == 1 && ::SSL_CTX_set_ex_data(native, context_index(), tls.get()) == 1;
  if (!done) return tl::make_unexpected(std::string("OpenSSL does not offer TLS 1.3 with ") + kSuite);
  ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_psk_use_session_callback(native, use_session);
  ::SSL_CTX_set_psk_find_session_callback(native, find_session);
  return tls;
}

/// The connecting end's key. `hash` is that of the suites offered, or not known yet.
int Tls::use_session(SSL* ssl, const EVP_MD* /*hash*/, const unsigned char** id, std::size_t* id_size, SSL_SESSION** session) {
  const auto* const tls = static_cast<const Tls*>(::SSL_CTX_get_ex_data(::SSL_get_SSL_CTX(ssl), context_index()));
  const Key& key = tls->keys_.front();
  *session = make_session(ssl, key);
  *id = reinterpret_cast<const unsigned char*>(key.id().data());
  *id_size = key.id().size();
  return *session != nullptr ? 1 : 0;
}

/// The listening end's: 0 ends the handshake.
int Tls::find_session(SSL* ssl, const unsigned char* id, std::size_t id_size, SSL_SESSION** session) {
  const auto* const tls = static_cast<const Tls*>(::SSL_CTX_get_ex_data(::SSL_get_SSL_CTX(ssl), context_index()));
  const std::string_view wanted(reinterpret_cast<const char*>(id), id_size);
  const auto key = std::ranges::find(tls->keys_, wanted, [](const Key& candidate) -> std::string_view { return candidate.id(); });
  if (key == tls->keys_.end()) {
    ::SSL_set_ex_data(ssl, unknown_key_index(), ssl);  // anything but nullptr
    return 0;
  }
  *session = make_session(ssl, *key);
  return *session != nullptr ? 1 : 0;
}

bool Tls::key_was_shown(SSL* ssl) { return ::SSL_version(ssl) == TLS1_3_VERSION && ::SSL_session_reused(ssl) == 1; }

Refusal Tls::why_failed(SSL* ssl, const boost::system::error_code& error) {
  if (::SSL_get_ex_data(ssl, unknown_key_index()) != nullptr) return Refusal::kUnknownKey;
  if (error.category() != asio::error::get_ssl_category()) return Refusal::kClosed;
  return of_reason(reason_of(error));
}

bool Tls::was_tampered(const boost::system::error_code& error) {
  return error.category() == asio::error::get_ssl_category() && reason_of(error) < kFirstAlert;
}

void Tls::renew_keys(SSL* ssl) { (void)::SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED); }

}  // namespace wsl4::peer
