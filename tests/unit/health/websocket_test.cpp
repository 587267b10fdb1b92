#include "daemon/health/websocket.h"

#include <gtest/gtest.h>

#include <set>

namespace wsl4::health {
namespace {

constexpr const char* kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // the example of RFC 6455, section 1.3
constexpr const char* kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

boost::beast::http::fields headers(const std::string& upgrade, const std::string& connection, const std::string& accept) {
  boost::beast::http::fields result;
  result.set("upgrade", upgrade);
  result.set("connection", connection);
  if (!accept.empty()) result.set("sec-websocket-accept", accept);
  return result;
}

TEST(WebSocket, AcceptIsThatOfTheRfc) { EXPECT_EQ(accept_for(kKey), kAccept); }

TEST(WebSocket, KeysAreSixteenRandomBytes) {
  std::set<std::string> keys;
  for (int i = 0; i < 1'000; ++i) keys.insert(make_websocket_key());
  EXPECT_EQ(keys.size(), 1'000U);
  for (const auto& key : keys) {
    EXPECT_EQ(key.size(), 24U);
    EXPECT_EQ(key.substr(22), "==");
  }
}

TEST(WebSocket, TheHandshakeNeedsAllThreeHeaders) {
  EXPECT_EQ(handshake_problem(headers("websocket", "Upgrade", kAccept), kKey), "");
  EXPECT_EQ(handshake_problem(headers("WebSocket", "keep-alive, upgrade", kAccept), kKey), "");
  EXPECT_EQ(handshake_problem(headers("h2c", "Upgrade", kAccept), kKey), "no Upgrade: websocket");
  EXPECT_EQ(handshake_problem(headers("websocket", "close", kAccept), kKey), "no Connection: Upgrade");
  EXPECT_EQ(handshake_problem(headers("websocket", "Upgrade", ""), kKey), "no Sec-WebSocket-Accept");
  EXPECT_EQ(handshake_problem(headers("websocket", "Upgrade", kKey), kKey), "wrong Sec-WebSocket-Accept");
  EXPECT_EQ(handshake_problem(headers("websocket", "Upgrade", "S3PPLMBITXAQ9KYGZZHZRBK+XOO="), kKey), "wrong Sec-WebSocket-Accept");
}

TEST(WebSocket, TheCloseFrameIsMaskedAndSaysNormalClosure) {
  EXPECT_EQ(kCloseFrame[0], 0x88);      // last fragment, Close
  EXPECT_EQ(kCloseFrame[1], 0x80 | 2);  // masked, two bytes
  const auto byte = [](std::size_t i) { return kCloseFrame[6 + i] ^ kCloseFrame[2 + i]; };
  EXPECT_EQ(byte(0) * 256 + byte(1), 1000);
}

}  // namespace
}  // namespace wsl4::health
