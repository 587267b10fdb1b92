// The run of type-length-value items in an object's userdata (libnftnl udata.h). Pure.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>

#include "netlink/message.h"
#include "netlink/nft/ruleset.h"

namespace wsl4::netlink::nft {

class TlvWriter {
 public:
  /// At most 255 bytes; what is longer is left out, as no reader could find it.
  TlvWriter& put(std::uint8_t type, ByteSpan value) {
    if (value.size() > 255) return *this;
    bytes_.push_back(type);
    bytes_.push_back(static_cast<std::uint8_t>(value.size()));
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  TlvWriter& put_u32(std::uint8_t type, std::uint32_t value) {
    return put(type, std::bit_cast<std::array<std::uint8_t, 4>>(value));
  }
  /// With its terminating zero, which nft counts.
  TlvWriter& put_string(std::uint8_t type, const std::string& text) {
    const auto* begin = text.c_str();
    return put(type, Bytes(begin, begin + text.size() + 1));
  }
  [[nodiscard]] Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// The value of the first item of that type.
[[nodiscard]] inline std::optional<ByteSpan> find_tlv(ByteSpan bytes, std::uint8_t type) {
  while (bytes.size() >= 2) {
    const std::size_t length = bytes[1];
    if (length > bytes.size() - 2) return std::nullopt;
    if (bytes[0] == type) return bytes.subspan(2, length);
    bytes = bytes.subspan(2 + length);
  }
  return std::nullopt;
}

}  // namespace wsl4::netlink::nft
