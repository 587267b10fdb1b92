#include "sync/bytes.h"

#include <algorithm>

namespace wsl4::sync {

void ByteWriter::put(std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out_.push_back(static_cast<std::uint8_t>(value >> shift));
}

void ByteWriter::text(std::string_view value) {
  const auto cut = value.substr(0, 255);
  u8(static_cast<std::uint8_t>(cut.size()));
  out_.insert(out_.end(), cut.begin(), cut.end());
}

void ByteWriter::patch_u32(std::size_t offset, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) out_[offset + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

std::uint64_t ByteReader::get(std::size_t count) {
  std::uint64_t value = 0;
  for (const auto byte : bytes(count)) value = value << 8 | byte;
  return value;
}

std::span<const std::uint8_t> ByteReader::bytes(std::size_t count) {
  if (count > bytes_.size()) fail();
  if (!ok_) return {};
  const auto taken = bytes_.first(count);
  bytes_ = bytes_.subspan(count);
  return taken;
}

std::string ByteReader::text() {
  const auto taken = bytes(u8());
  return {taken.begin(), taken.end()};
}

void ByteReader::fail() {
  ok_ = false;
  bytes_ = {};
}

}  // namespace wsl4::sync
