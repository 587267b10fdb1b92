// The client's half of a WebSocket opening handshake (RFC 6455, section 4.1) and of a clean close (section 7.1.2).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/beast/http/fields.hpp>

namespace wsl4::health {

/// A random Sec-WebSocket-Key: 16 bytes in base64.
[[nodiscard]] std::string make_websocket_key();
/// The Sec-WebSocket-Accept that a server must answer to it.
[[nodiscard]] std::string accept_for(std::string_view key);
/// Why the headers of a 101 do not complete the handshake: "no Upgrade: websocket". Empty if they do.
[[nodiscard]] std::string_view handshake_problem(const boost::beast::http::fields& headers, std::string_view key);

/// A Close frame with status 1000, masked as a client's must be. The mask hides nothing here, hence is fixed.
inline constexpr std::array<std::uint8_t, 8> kCloseFrame{0x88, 0x82, 0x12, 0x34, 0x56, 0x78, 0x12 ^ 0x03, 0x34 ^ 0xe8};

}  // namespace wsl4::health
