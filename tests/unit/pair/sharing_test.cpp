#include "daemon/pair/sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace wsl4::pair {
namespace {

/// Two nodes; what the one publishes waits in `pieces_`, and of each topic the last one counts, as in a session.
class SharingTest : public testing::Test {
 protected:
  std::optional<WholeDocument> deliver() {
    std::optional<WholeDocument> whole;
    for (const auto& [topic, piece] : pieces_)
      if (auto document = standby_.take(piece, true)) whole = std::move(document);
    return whole;
  }

  std::map<std::uint16_t, sync::SharedState> pieces_;
  std::vector<std::string> told_;
  Sharing active_{[this](sync::SharedState piece) { pieces_.insert_or_assign(piece.topic, std::move(piece)); },
                  [this](std::string problem) { told_.push_back(std::move(problem)); }};
  Sharing standby_{[](const sync::SharedState&) { FAIL() << "a standby publishes nothing"; }, {}};
};

TEST_F(SharingTest, ADocumentArrivesWhole) {
  const std::string text(3 * kMaxPiece + 5, 'x');
  active_.publish(Document::kOverlay, text);
  EXPECT_EQ(pieces_.size(), 4U);
  EXPECT_EQ(deliver(), (WholeDocument{Document::kOverlay, text, true}));
}

TEST_F(SharingTest, TheSameTextPublishedAgainIsToldAgain) {
  active_.publish(Document::kJoined, "a");
  const auto first = pieces_;
  active_.publish(Document::kJoined, "a");
  ASSERT_EQ(pieces_.size(), 1U);
  EXPECT_NE(pieces_.begin()->second.bytes, first.begin()->second.bytes) << "a session sends only what differs";
  EXPECT_EQ(deliver(), (WholeDocument{Document::kJoined, "a", true}));
}

TEST_F(SharingTest, WhatIsTooLongIsToldOnceAndAProblemWhileItIs) {
  for (const auto size : {kMaxDocument + 1, kMaxDocument + 2}) active_.publish(Document::kJoined, std::string(size, 'x'));
  EXPECT_THAT(told_, testing::ElementsAre(testing::StartsWith("what has registered is not shared with the peer: 1048337 bytes")));
  EXPECT_THAT(active_.problems(), testing::ElementsAre(testing::HasSubstr("1048338 bytes")));
  active_.publish(Document::kJoined, "x");
  EXPECT_THAT(active_.problems(), testing::IsEmpty());
}

TEST_F(SharingTest, WhatIsTooLongIsNotSentAndBrokenPiecesAreLeftOut) {
  active_.publish(Document::kOverlay, std::string(kMaxDocument + 1, 'x'));
  EXPECT_TRUE(pieces_.empty());
  EXPECT_EQ(standby_.take({kFirstDocumentTopic, {1, 2, 3}}, true), std::nullopt);
}

}  // namespace
}  // namespace wsl4::pair
