#include "sync/bytes.h"

#include <gtest/gtest.h>

namespace wsl4::sync {
namespace {

TEST(ByteWriter, IsBigEndian) {
  std::vector<std::uint8_t> bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.u16(0x0203);
  out.u32(0x04050607);
  out.u64(0x08090a0b0c0d0e0f);
  out.text("hi");
  EXPECT_EQ(bytes, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 'h', 'i'}));
  out.patch_u32(3, 0xffeeddcc);
  EXPECT_EQ(bytes[3], 0xff);
  EXPECT_EQ(bytes[6], 0xcc);
}

TEST(ByteWriter, CutsTextAfter255Bytes) {
  std::vector<std::uint8_t> bytes;
  ByteWriter(bytes).text(std::string(300, 'x'));
  EXPECT_EQ(bytes.size(), 256U);
  EXPECT_EQ(ByteReader(bytes).text(), std::string(255, 'x'));
}

TEST(ByteReader, ReadsWhatWasWritten) {
  std::vector<std::uint8_t> bytes;
  ByteWriter out(bytes);
  out.u16(0xfffe);
  out.u64(0x8000000000000001);
  out.text("");
  ByteReader in(bytes);
  EXPECT_EQ(in.u16(), 0xfffe);
  EXPECT_EQ(in.u64(), 0x8000000000000001);
  EXPECT_EQ(in.text(), "");
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(in.at_end());
}

TEST(ByteReader, KeepsItsError) {
  const std::vector<std::uint8_t> bytes{1, 2, 3, 4};
  ByteReader in(bytes);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u32(), 0U) << "one byte too few";
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0) << "although there was one";
  EXPECT_TRUE(in.bytes(1).empty());
  EXPECT_EQ(in.text(), "");
}

}  // namespace
}  // namespace wsl4::sync
