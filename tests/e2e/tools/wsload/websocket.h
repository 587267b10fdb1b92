// The part of RFC 6455 that an echo load needs: opening handshake, whole (unfragmented) frames, masking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wsload {

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2).
std::string accept_key(std::string_view key);

/// The value of a header in a request or response head; names compare without case. Empty if it is not there.
std::string_view header(std::string_view head, std::string_view name);

enum class Opcode : std::uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

/// Appends one final frame; clients mask (RFC 6455 section 5.3), servers do not.
void append_frame(std::string& out, Opcode opcode, std::string_view payload, std::optional<std::uint32_t> mask);

struct Frame {
  Opcode opcode = Opcode::kBinary;
  bool masked = false;
  std::string payload;   // unmasked
  std::size_t size = 0;  // of the whole frame, in bytes
};

enum class Parsed : std::uint8_t { kFrame, kIncomplete, kBroken };

/// Reads the first frame of `in`. kBroken: fragmented, reserved bits, or longer than kMaxPayload.
Parsed parse_frame(std::string_view in, Frame& frame);
inline constexpr std::size_t kMaxPayload = 1U << 20;

}  // namespace wsload
