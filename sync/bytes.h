// A cursor that reads bytes and one that writes them. Integers are big-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wsl4::sync {

/// Appends to a vector that it does not own.
class ByteWriter {
 public:
  explicit ByteWriter(std::vector<std::uint8_t>& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { put(value, 2); }
  void u32(std::uint32_t value) { put(value, 4); }
  void u64(std::uint64_t value) { put(value, 8); }
  void bytes(std::span<const std::uint8_t> value) { out_.insert(out_.end(), value.begin(), value.end()); }
  /// One byte of length and the bytes; what is beyond 255 is cut off.
  void text(std::string_view value);
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  /// Overwrites what stands at `offset`.
  void patch_u32(std::size_t offset, std::uint32_t value);

 private:
  void put(std::uint64_t value, int bytes);
  std::vector<std::uint8_t>& out_;
};

/// Reads bytes that it does not own. The error is sticky: after a read beyond the end everything reads as zero or empty, and `ok`
/// is false. So a caller reads all fields and asks once.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint8_t u8() { return static_cast<std::uint8_t>(get(1)); }
  [[nodiscard]] std::uint16_t u16() { return static_cast<std::uint16_t>(get(2)); }
  [[nodiscard]] std::uint32_t u32() { return static_cast<std::uint32_t>(get(4)); }
  [[nodiscard]] std::uint64_t u64() { return get(8); }
  [[nodiscard]] std::span<const std::uint8_t> bytes(std::size_t count);
  [[nodiscard]] std::string text();

  /// For what is readable, but not allowed.
  void fail();
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t left() const { return bytes_.size(); }

 private:
  [[nodiscard]] std::uint64_t get(std::size_t count);
  std::span<const std::uint8_t> bytes_;
  bool ok_ = true;
};

}  // namespace wsl4::sync
