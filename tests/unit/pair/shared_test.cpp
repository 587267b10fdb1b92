#include "daemon/pair/shared.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "sync/bytes.h"

namespace wsl4::pair {
namespace {

using sync::SharedState;
using testing::ElementsAre;

election::PeerState some_state(const char* address) {
  election::PeerState state;
  state.role = election::Role::kStandby;
  state.offer = election::Offer::kForced;
  state.claim = 0x01020304;
  state.grant = 0xfffefdfc;
  state.healthy = false;
  state.ballot = {0x0102030405060708, 254, netlink::IpAddress::parse(address).value()};
  return state;
}

TEST(ElectionTopic, IsReadAsItWasWritten) {
  for (const auto& state : {some_state("198.51.100.1"), some_state("2001:db8::1"), election::PeerState{}}) {
    EXPECT_EQ(decode(encode(state)), state);
  }
}

TEST(ElectionTopic, HasTheBytesOfThePage) {
  EXPECT_THAT(encode(some_state("198.51.100.1")),
              ElementsAre(2, 2, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc, 0, 1, 2, 3, 4, 5, 6, 7, 8, 254, 4, 198, 51, 100, 1));
}

TEST(ElectionTopic, TheWordFollowsTheAddressAndMayBeMissing) {
  auto state = some_state("198.51.100.1");
  const auto without = encode(state);
  state.word = election::Word{std::chrono::milliseconds(0x01020304), true};
  auto bytes = encode(state);
  EXPECT_THAT(std::vector(bytes.begin() + static_cast<std::ptrdiff_t>(without.size()), bytes.end()), ElementsAre(1, 2, 3, 4, 1));
  EXPECT_EQ(decode(bytes), state);
  for (auto length = without.size(); length < bytes.size(); ++length)
    EXPECT_EQ(decode(std::span(bytes).first(length)), some_state("198.51.100.1")) << length;
  bytes.push_back(7);
  EXPECT_EQ(decode(bytes), state) << "of a later version";
  bytes[bytes.size() - 2] = 2;
  EXPECT_FALSE(decode(bytes));
}

TEST(ElectionTopic, WhatIsCutOffIsNobodys) {
  for (const char* address : {"198.51.100.1", "2001:db8::1"}) {
    const auto bytes = encode(some_state(address));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_FALSE(decode(std::span(bytes).first(length))) << length;
    }
  }
}

TEST(ElectionTopic, WhatALaterVersionAppendsIsLeftOut) {
  auto bytes = encode(some_state("198.51.100.1"));
  bytes.push_back(7);
  EXPECT_EQ(decode(bytes), some_state("198.51.100.1"));
}

TEST(ElectionTopic, ValuesOutOfRangeAreRefused) {
  constexpr std::size_t kRole = 0, kOffer = 1, kHealthy = 10, kFamily = 20;
  for (const auto& [place, value] : {std::pair{kRole, 4}, {kOffer, 4}, {kHealthy, 2}, {kFamily, 5}, {kFamily, 0}, {kRole, 255}}) {
    auto bytes = encode(some_state("198.51.100.1"));
    bytes[place] = static_cast<std::uint8_t>(value);
    EXPECT_FALSE(decode(bytes)) << place << " = " << value;
  }
}

std::string text_of(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, ' ');
  std::ranges::generate(text, [&] { return static_cast<char>(random()); });
  return text;
}

std::vector<SharedState> pieces_of(Document kind, std::uint32_t version, const std::string& text) {
  return split(kind, version, text).value();
}

/// What comes out of these pieces, one after the other.
std::vector<WholeDocument> put(Assembly& assembly, const std::vector<SharedState>& pieces) {
  std::vector<WholeDocument> whole;
  for (const auto& piece : pieces) {
    auto document = assembly.take(piece);
    EXPECT_TRUE(document) << document.error();
    if (document && *document) whole.push_back(std::move(**document));
  }
  return whole;
}

TEST(SharedDocument, ComesTogetherWhateverItsSize) {
  for (const auto kind : {Document::kOverlay, Document::kJoined, Document::kHealth}) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, kMaxPiece - 1, kMaxPiece, kMaxPiece + 1, 3 * kMaxPiece, kMaxDocument}) {
      const auto text = text_of(size, 1);
      const auto pieces = pieces_of(kind, 1, text);
      EXPECT_EQ(pieces.size(), std::max<std::size_t>(1, (size + kMaxPiece - 1) / kMaxPiece));
      for (const auto& piece : pieces) EXPECT_LE(piece.bytes.size(), sync::kMaxSharedState);
      Assembly assembly;
      EXPECT_THAT(put(assembly, pieces), ElementsAre(WholeDocument{kind, text})) << size;
    }
  }
}

TEST(SharedDocument, ThatIsTooLargeIsAnError) {
  const auto pieces = split(Document::kJoined, 1, std::string(kMaxDocument + 1, 'x'));
  ASSERT_FALSE(pieces);
  EXPECT_EQ(pieces.error(), "1048337 bytes are more than the 1048336 that a peer is told");
}

TEST(SharedDocument, EachHasItsOwnTopics) {
  const std::string text(kMaxDocument, 'x');
  std::vector<std::uint16_t> topics{kElectionTopic};
  for (const auto kind : {Document::kOverlay, Document::kJoined, Document::kHealth}) {
    for (const auto& piece : pieces_of(kind, 1, text)) topics.push_back(piece.topic);
  }
  EXPECT_TRUE(std::ranges::is_sorted(topics));
  EXPECT_EQ(std::ranges::adjacent_find(topics), topics.end());
  EXPECT_LE(topics.size(), 64U) << "a session has no more";
}

TEST(SharedDocument, PiecesComeInAnyOrderAndFromSeveralDocuments) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const auto overlay = text_of(4 * kMaxPiece, seed), joined = text_of(2 * kMaxPiece + 5, seed + 1000);
    auto pieces = pieces_of(Document::kOverlay, seed, overlay);
    for (auto& piece : pieces_of(Document::kJoined, seed, joined)) pieces.push_back(std::move(piece));
    std::shuffle(pieces.begin(), pieces.end(), std::mt19937(seed));
    Assembly assembly;
    EXPECT_THAT(put(assembly, pieces), testing::UnorderedElementsAre(WholeDocument{Document::kOverlay, overlay},
                                                                     WholeDocument{Document::kJoined, joined}));
  }
}

TEST(SharedDocument, PiecesOfTwoTextsAreNeverMixed) {
  const auto first = text_of(3 * kMaxPiece, 1), second = text_of(3 * kMaxPiece, 2);
  const auto old = pieces_of(Document::kOverlay, 1, first), next = pieces_of(Document::kOverlay, 2, second);
  Assembly assembly;
  EXPECT_THAT(put(assembly, {old[0], next[1], next[2]}), testing::IsEmpty());
  EXPECT_THAT(put(assembly, {next[0]}), ElementsAre(WholeDocument{Document::kOverlay, second}));
}

TEST(SharedDocument, APeerThatStartsAnewMayUseANumberAgain) {
  const auto old = pieces_of(Document::kOverlay, 1, text_of(2 * kMaxPiece, 1));
  const auto text = text_of(2 * kMaxPiece, 2);
  const auto next = pieces_of(Document::kOverlay, 1, text);
  Assembly assembly;
  EXPECT_THAT(put(assembly, {old[1], next[0]}), testing::IsEmpty());
  EXPECT_THAT(put(assembly, {next[1]}), ElementsAre(WholeDocument{Document::kOverlay, text}));
}

TEST(SharedDocument, ThatHasShrunkLeavesNothingBehind) {
  const auto large = pieces_of(Document::kOverlay, 1, text_of(3 * kMaxPiece, 1));
  const auto small = pieces_of(Document::kOverlay, 2, "small");
  Assembly assembly;
  put(assembly, large);
  const WholeDocument whole{Document::kOverlay, "small"};
  EXPECT_THAT(put(assembly, small), ElementsAre(whole));
  // Another connection: what the session still has of all topics is sent again.
  EXPECT_THAT(put(assembly, {small[0], large[1], large[2]}), ElementsAre(whole));
}

TEST(SharedDocument, ThatIsSentAgainIsYieldedAgain) {
  const auto text = text_of(2 * kMaxPiece, 1);
  const auto pieces = pieces_of(Document::kHealth, 1, text);
  const WholeDocument whole{Document::kHealth, text};
  Assembly assembly;
  EXPECT_THAT(put(assembly, {pieces[0], pieces[0], pieces[1], pieces[0], pieces[1]}), ElementsAre(whole, whole));
}

TEST(SharedDocument, ADamagedTextIsNotYielded) {
  auto pieces = pieces_of(Document::kOverlay, 1, text_of(2 * kMaxPiece, 1));
  pieces[1].bytes.back() ^= 1;
  Assembly assembly;
  EXPECT_THAT(put(assembly, pieces), testing::IsEmpty());
}

TEST(SharedDocument, OtherTopicsAreLeftToOthers) {
  Assembly assembly;
  std::vector<SharedState> pieces;
  for (const int topic : {0, 1, 7, 56, 57, 65535}) pieces.push_back({static_cast<std::uint16_t>(topic), {1, 2, 3}});
  EXPECT_THAT(put(assembly, pieces), testing::IsEmpty());
}

TEST(SharedDocument, GarbageIsAnErrorAndHarmsNothing) {
  const auto text = text_of(2 * kMaxPiece, 1);
  const auto pieces = pieces_of(Document::kOverlay, 1, text);
  Assembly assembly;
  put(assembly, {pieces[0]});
  const auto problem = [&](std::uint16_t topic, std::vector<std::uint8_t> bytes) {
    const auto taken = assembly.take({topic, std::move(bytes)});
    return taken ? "none" : taken.error();
  };
  constexpr std::size_t kCount = kPieceHeader - 1;
  for (std::size_t length = 0; length < kPieceHeader; ++length) {
    EXPECT_EQ(problem(8, std::vector<std::uint8_t>(length)), "the piece on topic 8 is cut off");
  }
  std::vector<std::uint8_t> bytes(kPieceHeader);
  EXPECT_EQ(problem(8, bytes), "topic 8 has piece 1 of 0");
  bytes[kCount] = 17;
  EXPECT_EQ(problem(9, bytes), "topic 9 has piece 2 of 17");
  bytes[kCount] = 3;
  EXPECT_EQ(problem(11, bytes), "topic 11 has piece 4 of 3");
  bytes.resize(kPieceHeader + kMaxPiece + 1);
  EXPECT_EQ(problem(8, bytes), "the piece on topic 8 is too long");
  EXPECT_THAT(put(assembly, {pieces[1]}), ElementsAre(WholeDocument{Document::kOverlay, text}));
}

}  // namespace
}  // namespace wsl4::pair
