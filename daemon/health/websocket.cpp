#include "daemon/health/websocket.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <span>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>

namespace wsl4::health {

namespace {

using boost::beast::http::field;
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, section 1.3

std::string to_base64(std::span<const unsigned char> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  // One zero byte follows the text: std::string has room for it.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  return text;
}

}  // namespace

std::string make_websocket_key() {
  std::array<unsigned char, 16> nonce{};
  RAND_bytes(nonce.data(), static_cast<int>(nonce.size()));  // fails only without any entropy; a fixed key then does no harm
  return to_base64(nonce);
}

std::string accept_for(std::string_view key) {
  const std::string text = std::string(key).append(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return to_base64(digest);
}

std::string_view handshake_problem(const boost::beast::http::fields& headers, std::string_view key) {
  if (!boost::beast::iequals(headers[field::upgrade], "websocket")) return "no Upgrade: websocket";
  if (!boost::beast::http::token_list(headers[field::connection]).exists("upgrade")) return "no Connection: Upgrade";
  const std::string_view accept = headers[field::sec_websocket_accept];
  if (accept.empty()) return "no Sec-WebSocket-Accept";
  return accept == accept_for(key) ? "" : "wrong Sec-WebSocket-Accept";
}

}  // namespace wsl4::health
