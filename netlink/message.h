// Netlink messages and attributes as bytes (kernel include/uapi/linux/netlink.h): readers that never leave their bounds and a
// writer that grows. None knows what the attributes mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace wsl4::netlink {

using ByteSpan = std::span<const std::uint8_t>;

/// Network order to host order; reading past the end gives nullopt, longer values are refused too.
[[nodiscard]] std::optional<std::uint8_t> read_u8(ByteSpan value);
[[nodiscard]] std::optional<std::uint16_t> read_be16(ByteSpan value);
[[nodiscard]] std::optional<std::uint32_t> read_be32(ByteSpan value);
[[nodiscard]] std::optional<std::uint64_t> read_be64(ByteSpan value);
/// A string attribute up to its zero, or its end.
[[nodiscard]] std::string read_text(ByteSpan value);

struct Attribute {
  std::uint16_t type = 0;  // without the NESTED and NET_BYTEORDER flags
  ByteSpan value;
};

/// Walks a run of attributes. `broken` says after the last `next` whether the walk ended because a length made no sense.
class AttributeReader {
 public:
  explicit AttributeReader(ByteSpan bytes) : rest_(bytes) {}
  std::optional<Attribute> next();
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  ByteSpan rest_;
  bool broken_ = false;
};

struct Message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  ByteSpan payload;

  /// The end of an answer: an acknowledgement, an error, or the end of a dump. The positive errno it carries, 0 for success;
  /// nullopt where the message is none of these or too short.
  [[nodiscard]] std::optional<int> outcome() const;
};

/// Walks the messages of one datagram; stops at the first whose length makes no sense.
class MessageReader {
 public:
  explicit MessageReader(ByteSpan bytes) : rest_(bytes) {}
  std::optional<Message> next();

 private:
  ByteSpan rest_;
};

/// Builds netlink messages one after the other in one buffer, ready for a single send.
class MessageWriter {
 public:
  /// Starts a message (struct nlmsghdr); the lengths are filled in by `end`.
  void begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence);
  void end();

  /// The family's fixed header (struct nfgenmsg, struct ifaddrmsg ...), before the first attribute.
  template <class Header>
  void header(const Header& header) {
    std::memcpy(grow(sizeof header), &header, sizeof header);
  }

  void put(std::uint16_t type, ByteSpan value);
  void put_u8(std::uint16_t type, std::uint8_t value) { put(type, {&value, 1}); }
  /// With its terminating zero, as nf_tables wants names.
  void put_string(std::uint16_t type, const std::string& text) {
    put(type, {reinterpret_cast<const std::uint8_t*>(text.c_str()), text.size() + 1});
  }
  void put_be16(std::uint16_t type, std::uint16_t value);
  void put_be32(std::uint16_t type, std::uint32_t value);
  void put_be64(std::uint16_t type, std::uint64_t value);

  /// The position to hand to `end_nest`.
  [[nodiscard]] std::size_t begin_nest(std::uint16_t type);
  void end_nest(std::size_t nest);

  [[nodiscard]] ByteSpan bytes() const { return bytes_; }
  /// The flags of the message begun last: a batch asks for an acknowledgement of its last message only.
  void add_flags_to_last(std::uint16_t flags);
  void clear() { bytes_.clear(); }

 private:
  /// Room for so many bytes and the padding behind them, all zero.
  std::uint8_t* grow(std::size_t size);

  std::vector<std::uint8_t> bytes_;
  std::size_t message_ = 0;  // where the last message begins
};

}  // namespace wsl4::netlink
