#include "netlink/message.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <linux/netlink.h>

namespace wsl4::netlink {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(AttributeReader, WalksWhatTheWriterWrote) {
  MessageWriter writer;
  writer.put_u8(1, 0x12);
  writer.put_be16(2, 0x1234);
  const auto nest = writer.begin_nest(3);
  writer.put_be32(4, 0x12345678);
  writer.put_be64(5, 0x123456789abcdef0);
  writer.end_nest(nest);

  AttributeReader reader(writer.bytes());
  const auto first = reader.next(), second = reader.next(), third = reader.next();
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(read_u8(first->value), 0x12);
  EXPECT_EQ(read_be16(second->value), 0x1234);
  EXPECT_EQ(third->type, 3);  // without the flag that says nested
  AttributeReader inner(third->value);
  EXPECT_EQ(read_be32(inner.next()->value), 0x12345678U);
  EXPECT_EQ(read_be64(inner.next()->value), 0x123456789abcdef0U);
  EXPECT_FALSE(inner.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(inner.broken() || reader.broken());
}

TEST(AttributeReader, StopsAtLengthsThatMakeNoSense) {
  const Bytes too_short{3, 0, 1, 0, 0, 0, 0, 0}, too_long{9, 0, 1, 0, 0, 0, 0, 0}, cut_head{4, 0, 1};
  for (const Bytes& bytes : {too_short, too_long, cut_head}) {
    AttributeReader reader(bytes);
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.broken());
    EXPECT_FALSE(reader.next());
  }
}

TEST(AttributeReader, TheLastAttributeMayLackItsPadding) {
  const Bytes bytes{5, 0, 7, 0, 42};
  AttributeReader reader(bytes);
  const auto attribute = reader.next();
  ASSERT_TRUE(attribute);
  EXPECT_EQ(read_u8(attribute->value), 42);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.broken());
}

TEST(Values, OfAnotherSizeAreRefused) {
  const Bytes four{1, 2, 3, 4};
  EXPECT_EQ(read_be32(four), 0x01020304U);
  EXPECT_FALSE(read_u8(four));
  EXPECT_FALSE(read_be16(four));
  EXPECT_FALSE(read_be32({four.data(), 3}));
}

TEST(MessageReader, WalksSeveralAndStopsAtABrokenOne) {
  MessageWriter writer;
  for (std::uint16_t i = 0; i < 3; ++i) {
    writer.begin(static_cast<std::uint16_t>(100 + i), NLM_F_REQUEST, i);
    writer.put_u8(1, 1);
    writer.end();
  }
  Bytes bytes(writer.bytes().begin(), writer.bytes().end());
  MessageReader reader(bytes);
  for (std::uint16_t i = 0; i < 3; ++i) {
    const auto message = reader.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->type, 100 + i);
    EXPECT_EQ(message->sequence, i);
    EXPECT_EQ(message->payload.size(), 8U);
  }
  EXPECT_FALSE(reader.next());

  bytes.pop_back();  // the last one says more than there is
  MessageReader cut(bytes);
  EXPECT_TRUE(cut.next() && cut.next());
  EXPECT_FALSE(cut.next());
}

Message answer(std::uint16_t type, std::int32_t error, Bytes& storage) {
  storage.resize(sizeof error);
  std::memcpy(storage.data(), &error, sizeof error);
  return {type, 0, 1, storage};
}

TEST(Outcome, IsThePositiveErrno) {
  Bytes storage;
  EXPECT_EQ(answer(NLMSG_ERROR, 0, storage).outcome(), 0);
  EXPECT_EQ(answer(NLMSG_ERROR, -17, storage).outcome(), 17);
  EXPECT_EQ(answer(NLMSG_DONE, 0, storage).outcome(), 0);
  EXPECT_EQ(answer(NLMSG_DONE, -1, storage).outcome(), 1);
  EXPECT_FALSE(answer(100, 0, storage).outcome());
  EXPECT_FALSE((Message{NLMSG_ERROR, 0, 1, {}}.outcome()));
}

}  // namespace
}  // namespace wsl4::netlink
