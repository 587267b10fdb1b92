#include "tests/e2e/tools/wsload/websocket.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace wsload {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
constexpr std::uint8_t kFinal = 0x80, kReserved = 0x70, kOpcode = 0x0f, kMasked = 0x80, kLength = 0x7f;
constexpr std::uint8_t kLength16 = 126, kLength64 = 127;

void apply_mask(char* data, std::size_t size, std::uint32_t mask) {
  const std::uint64_t key = std::uint64_t{mask} << 32 | mask;
  for (std::size_t at = 0; at < size; at += sizeof key) {
    std::uint64_t word = 0;
    const auto length = std::min(sizeof word, size - at);
    std::memcpy(&word, data + at, length);
    word ^= key;
    std::memcpy(data + at, &word, length);
  }
}

}  // namespace

std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + std::string(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 32> encoded{};  // 28 characters and a zero
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

std::string_view header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
    at += 2;
    const auto line = head.substr(at, head.find("\r\n", at) - at);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    const auto begin = line.find_first_not_of(" \t", name.size() + 1);
    return begin == std::string_view::npos ? std::string_view() : line.substr(begin, line.find_last_not_of(" \t") - begin + 1);
  }
  return {};
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload, std::optional<std::uint32_t> mask) {
  const std::uint8_t mask_bit = mask ? kMasked : 0;
  out.push_back(static_cast<char>(kFinal | static_cast<std::uint8_t>(opcode)));
  const auto put_length = [&](std::uint8_t code, int bytes) {
    out.push_back(static_cast<char>(mask_bit | code));
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(payload.size() >> (8 * i)));
  };
  if (payload.size() < kLength16)
    put_length(static_cast<std::uint8_t>(payload.size()), 0);
  else if (payload.size() <= 0xffff)
    put_length(kLength16, 2);
  else
    put_length(kLength64, 8);
  if (mask) out.append(reinterpret_cast<const char*>(&*mask), 4);
  const auto begin = out.size();
  out.append(payload);
  if (mask) apply_mask(out.data() + begin, payload.size(), *mask);
}

Parsed parse_frame(std::string_view in, Frame& frame) {
  if (in.size() < 2) return Parsed::kIncomplete;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(in[i]); };
  if ((byte(0) & kFinal) == 0 || (byte(0) & kReserved) != 0) return Parsed::kBroken;
  frame.opcode = static_cast<Opcode>(byte(0) & kOpcode);
  frame.masked = (byte(1) & kMasked) != 0;
  std::uint64_t length = byte(1) & kLength;
  std::size_t at = 2;
  const std::size_t more = length == kLength16 ? 2 : length == kLength64 ? 8 : 0;
  if (in.size() < at + more + (frame.masked ? 4 : 0)) return Parsed::kIncomplete;
  if (more != 0) length = 0;
  for (std::size_t i = 0; i < more; ++i) length = length << 8 | byte(at++);
  if (length > kMaxPayload) return Parsed::kBroken;
  std::uint32_t mask = 0;
  if (frame.masked) std::memcpy(&mask, in.data() + at, 4), at += 4;
  if (in.size() < at + length) return Parsed::kIncomplete;
  frame.payload.assign(in.substr(at, length));
  if (frame.masked) apply_mask(frame.payload.data(), frame.payload.size(), mask);
  frame.size = at + length;
  return Parsed::kFrame;
}

}  // namespace wsload
