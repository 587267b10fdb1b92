#include "sync/outbox.h"

#include <gtest/gtest.h>

#include "sync/decoder.h"

namespace wsl4::sync {
namespace {

std::vector<FrameType> types(const std::vector<std::uint8_t>& bytes) {
  FrameReader reader;
  reader.feed(bytes);
  std::vector<FrameType> all;
  while (const auto frame = reader.next().value()) all.push_back(static_cast<FrameType>(frame->type));
  return all;
}

std::vector<FrameType> written(Outbox& outbox, std::size_t end = 1 << 20, bool agreed = true) {
  std::vector<std::uint8_t> bytes;
  outbox.write(bytes, end, agreed);
  return types(bytes);
}

TEST(Outboxes, SendEachKindOnce) {
  Outbox outbox;
  outbox.bye = Bye{};
  outbox.ack = Ack{};
  outbox.echo = Echo{1};
  outbox.echo = Echo{2};
  outbox.hello = Hello{};
  EXPECT_EQ(written(outbox), (std::vector{FrameType::kHello, FrameType::kEcho, FrameType::kAck, FrameType::kBye}));
  EXPECT_EQ(written(outbox), std::vector<FrameType>{});
}

TEST(Outboxes, SendTopicsAgainOverAnotherConnection) {
  Outbox outbox;
  EXPECT_TRUE(outbox.publish(1, {1}));
  EXPECT_TRUE(outbox.publish(2, {2}));
  EXPECT_TRUE(outbox.publish(1, {3}));
  outbox.echo = Echo{1};
  EXPECT_EQ(written(outbox, 1 << 20, false), std::vector{FrameType::kEcho}) << "not before both have agreed";
  EXPECT_EQ(written(outbox, 1), std::vector{FrameType::kSharedState}) << "one fills the limit";
  EXPECT_EQ(written(outbox), std::vector{FrameType::kSharedState});
  EXPECT_EQ(written(outbox), std::vector<FrameType>{});
  outbox.echo = Echo{1};
  outbox.reset();
  EXPECT_EQ(written(outbox), (std::vector{FrameType::kSharedState, FrameType::kSharedState}));
}

TEST(Outboxes, LimitTopics) {
  Outbox outbox;
  EXPECT_FALSE(outbox.publish(0, std::vector<std::uint8_t>(kMaxSharedState + 1)));
  for (std::uint16_t topic = 0; topic < Outbox::kMaxTopics; ++topic) {
    EXPECT_TRUE(outbox.publish(topic, std::vector<std::uint8_t>(kMaxSharedState)));
  }
  EXPECT_FALSE(outbox.publish(Outbox::kMaxTopics, {}));
  EXPECT_TRUE(outbox.publish(3, {}));
}

}  // namespace
}  // namespace wsl4::sync
