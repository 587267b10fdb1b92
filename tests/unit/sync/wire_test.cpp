// Encoder and decoder together: round trip, truncation at every byte, every bit flipped.
#include "sync/wire.h"

#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "sync/decoder.h"
#include "sync/encoder.h"
#include "sync/flow_table.h"

namespace wsl4::sync {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <class Message>
Bytes payload_of(const Message& message) {
  Bytes bytes;
  ByteWriter out(bytes);
  write(out, message);
  return bytes;
}

/// Decodes and encodes again.
template <class Message>
Bytes again(const Bytes& payload) {
  const auto message = decode<Message>(payload);
  return message ? payload_of(*message) : Bytes{};
}

/// A message of each kind, and what reads and writes its like.
struct Sample {
  const char* name;
  Bytes payload;
  std::function<Bytes(const Bytes&)> again;
  bool open_ended = false;  // may be cut anywhere, or at some places, and still be a message
};

template <class Message>
Sample sample(const char* name, const Message& message, bool open_ended = false) {
  return {name, payload_of(message), again<Message>, open_ended};
}

std::vector<Sample> samples() {
  std::vector<std::uint64_t> digests(kBuckets);
  for (std::size_t i = 0; i < kBuckets; ++i) digests[i] = 0x0102030405060708 * i;
  return {sample("hello", Hello{{1, 2}, 0x1122334455667788, 3, Role::kStandby, 150, 100'000, "lb-a"}),
          sample("configuration", Configuration{{{"ha.virtual_router_id", 7, true}, {"service.chat", 9, false}}}, true),
          sample("bye", Bye{{Reason::kConfiguration, "these differ: a"}}),
          sample("heartbeat", Heartbeat{Role::kActive, 100, 12, 1'234, 99}),
          sample("echo", Echo{0xffffffffffffffff}),
          sample("shared state", SharedState{3, {1, 2, 3}}, true),
          sample("digests", Digests{5, digests}),
          sample("request", Request{5, {0, 17, 4095}}, true),
          sample("complete", Complete{7, 5}),
          sample("ack", Ack{7, true})};
}

TEST(Messages, ComeBackAsTheyWere) {
  for (const auto& one : samples()) EXPECT_EQ(one.again(one.payload), one.payload) << one.name;
}

TEST(Messages, AreRefusedIfCutAnywhere) {
  for (const auto& one : samples()) {
    for (std::size_t size = 0; size<one.payload.size(); size += one.payload.size()> 1'000 ? 97 : 1) {
      const auto back = one.again({one.payload.begin(), one.payload.begin() + static_cast<std::ptrdiff_t>(size)});
      if (one.open_ended) {
        EXPECT_TRUE(back.empty() || back.size() == size) << one.name << " cut to " << size;
      } else {
        EXPECT_EQ(back, Bytes{}) << one.name << " cut to " << size;
      }
    }
  }
}

TEST(Messages, AreRefusedOrReadRightWithABitFlipped) {
  for (const auto& one : samples()) {
    for (std::size_t bit = 0; bit<one.payload.size() * 8; bit += one.payload.size()> 1'000 ? 101 : 1) {
      auto flipped = one.payload;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ 1U << bit % 8);
      const auto back = one.again(flipped);
      if (std::string(one.name) == "hello" && back.size() < flipped.size()) continue;  // a shorter name, the rest is ignored
      EXPECT_TRUE(back.empty() || back == flipped) << one.name << ", bit " << bit;
    }
  }
}

TEST(Messages, RefuseWhatFollows) {
  for (const auto& one : samples()) {
    if (one.open_ended) continue;
    auto longer = one.payload;
    longer.push_back(0);
    const bool is_hello = std::string(one.name) == "hello";
    EXPECT_EQ(one.again(longer), is_hello ? one.payload : Bytes{}) << one.name;
  }
}

TEST(Messages, HaveTheirLimits) {
  EXPECT_FALSE(decode<Request>(payload_of(Request{1, {kBuckets}})));
  EXPECT_FALSE(decode<Request>(payload_of(Request{1, std::vector<std::uint16_t>(kBuckets + 1)})));
  EXPECT_FALSE(decode<Digests>(payload_of(Digests{1, std::vector<std::uint64_t>(kBuckets - 1)})));
  const Configuration large{std::vector<KeyDigest>(2'000, {std::string(300, 'k'), 1, false})};
  EXPECT_LE(payload_of(large).size(), kMaxPayload);
  EXPECT_GT(decode<Configuration>(payload_of(large))->keys.size(), 200U);
  EXPECT_EQ(payload_of(SharedState{1, Bytes(2 * kMaxPayload)}).size(), kMaxPayload);
}

std::vector<WireOperation> operations() {
  const FlowKey key{{198, 18, 1, 2}, 3, 40'000};
  const FlowKey key6{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 4, 1};
  const FlowValue value{5, 6, 432'000, 1'234, 3, 7, 9, 0x23, 0x33, kClosing};
  return {Define{3, {{{203, 0, 113, 10}, Family::kIpv4}, 443, 6}},
          Define{4, {{key6.client, Family::kIpv6}, 0, 0}},
          Upsert{Family::kIpv4, {key, value}},
          Upsert{Family::kIpv6, {key6, {0, kClientItself, 1, 2, 3, 4, 5, 6, 7, 8}}},
          Erase{Family::kIpv4, key},
          Erase{Family::kIpv6, key6}};
}

Bytes bytes_of(const WireOperation& operation) {
  return std::visit([](const auto& one) { return payload_of(one); }, operation);
}

TEST(Operations, ComeBackAsTheyWere) {
  Bytes bytes;
  for (const auto& operation : operations()) {
    const auto one = bytes_of(operation);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  ByteReader in(bytes);
  for (const auto& operation : operations()) EXPECT_EQ(read_operation(in), operation);
  EXPECT_EQ(read_operation(in), std::nullopt);
  EXPECT_TRUE(in.ok());
}

TEST(Operations, AreSmall) {
  const auto all = operations();
  for (const auto& operation : all) EXPECT_LE(bytes_of(operation).size(), kMaxOperation);
  EXPECT_EQ(bytes_of(all[2]).size(), 31U) << "an IPv4 flow; 48 are allowed";
  EXPECT_EQ(bytes_of(all[3]).size(), 43U);
  EXPECT_EQ(bytes_of(all[4]).size(), 11U);
}

TEST(Operations, AreRefusedIfCutAnywhere) {
  for (const auto& operation : operations()) {
    const auto bytes = bytes_of(operation);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      ByteReader in(std::span<const std::uint8_t>(bytes).first(size));
      EXPECT_EQ(read_operation(in), std::nullopt);
      EXPECT_FALSE(in.ok());
    }
  }
}

TEST(Operations, AreRefusedOrReadRightWithABitFlipped) {
  for (const auto& operation : operations()) {
    const auto bytes = bytes_of(operation);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      auto flipped = bytes;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ 1U << bit % 8);
      ByteReader in(flipped);
      const auto read = read_operation(in);
      if (!read) continue;
      const auto back = bytes_of(*read);
      EXPECT_TRUE(back.size() <= flipped.size() && std::equal(back.begin(), back.end(), flipped.begin())) << "bit " << bit;
    }
  }
}

TEST(Operations, KnowNoOtherNumbers) {
  for (const auto& operation : {WireOperation(Define{kMaxTerms, {}}), WireOperation(Erase{Family::kIpv4, {{}, kMaxTerms, 1}}),
                                WireOperation(Upsert{Family::kIpv4, {{}, {kMaxTerms, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}),
                                WireOperation(Upsert{Family::kIpv4, {{}, {0, kMaxTerms, 0, 0, 0, 0, 0, 0, 0, 0}}})}) {
    const auto bytes = bytes_of(operation);
    ByteReader in(bytes);
    EXPECT_EQ(read_operation(in), std::nullopt);
    EXPECT_FALSE(in.ok());
  }
}

TEST(Frames, AreCutFromAnyPieces) {
  Bytes bytes;
  encode(bytes, Echo{1});
  encode(bytes, Ack{1, true});
  encode(bytes, SharedState{1, Bytes(kMaxSharedState)});
  EXPECT_EQ(bytes[3], 8) << "the length of an echo's payload";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{1'000}, bytes.size()}) {
    FrameReader reader;
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
      while (const auto frame = reader.next().value()) sizes.push_back(frame->payload.size());
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{8, 9, kMaxPayload})) << "in pieces of " << piece;
  }
}

TEST(Frames, HaveALimit) {
  FrameReader reader;
  reader.feed(Bytes{0, 1, 0, 1});
  EXPECT_FALSE(reader.next()) << "refused before its bytes are there";
  reader.feed(Bytes{0, 0, 0, 0, 0});
  EXPECT_FALSE(reader.next()) << "the error stays";
}

}  // namespace
}  // namespace wsl4::sync
