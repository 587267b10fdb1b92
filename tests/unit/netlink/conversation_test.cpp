#include "netlink/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>

namespace wsl4::netlink {
namespace {

using testing::ElementsAre;

constexpr std::uint16_t kData = NLMSG_MIN_TYPE, kRequest = NLMSG_MIN_TYPE + 1;

/// The kernel's end of a conversation: its answers lie there before they are asked for, as numbers and outcomes.
class Conversations : public testing::Test {
 protected:
  Conversations() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    kernel_ = Fd(ends[0]);
    conversation_.emplace(Socket(Fd(ends[1]), 7));
  }
  void answer(std::uint32_t sequence, std::uint16_t type, int value, std::uint16_t flags = 0) {
    MessageWriter writer;
    writer.begin(type, flags, sequence);
    writer.header(value);
    writer.end();
    ASSERT_GE(::send(kernel_.get(), writer.bytes().data(), writer.bytes().size(), 0), 0);
  }
  /// A listing of one number, and its end.
  void answer_listing(std::uint32_t sequence, int value, std::uint16_t flags, std::uint16_t flags_at_end) {
    answer(sequence, kData, value, flags);
    answer(sequence, NLMSG_DONE, 0, flags_at_end);
  }
  static void write(MessageWriter& request, std::uint32_t number) {
    request.begin(kRequest, NLM_F_REQUEST, number);
    request.end();
  }
  Result<void> list() {
    return conversation_->list(write, "list them", [this](ByteSpan payload) { listed_.push_back(payload[0]); });
  }
  Result<void> ask() {
    MessageWriter request;
    write(request, conversation_->next_number());
    return conversation_->ask(request.bytes(), "ask", [this](ByteSpan payload) { listed_.push_back(payload[0]); });
  }

  Fd kernel_;
  std::optional<Conversation> conversation_;
  std::vector<int> listed_;
};

TEST_F(Conversations, AListingIsHandedOverWhole) {
  answer(1, kData, 4);
  answer_listing(1, 5, 0, 0);
  ASSERT_TRUE(list());
  EXPECT_THAT(listed_, ElementsAre(4, 5));
}

TEST_F(Conversations, ADisturbedListingIsAskedForAgainAndNothingOfItIsTaken) {
  answer_listing(1, 4, NLM_F_DUMP_INTR, 0);
  answer_listing(2, 5, 0, NLM_F_DUMP_INTR);  // at its end only
  answer_listing(3, 6, 0, 0);
  ASSERT_TRUE(list());
  EXPECT_THAT(listed_, ElementsAre(6));
}

TEST_F(Conversations, AListingThatIsAlwaysDisturbedIsAnError) {
  for (std::uint32_t number = 1; number <= Conversation::kListings; ++number) answer_listing(number, 4, NLM_F_DUMP_INTR, 0);
  const auto outcome = list();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, EINTR);
  EXPECT_EQ(outcome.error().message(), "list them: it changed each of the 10 times that it was listed: Interrupted system call");
  EXPECT_TRUE(listed_.empty());
}

TEST_F(Conversations, AnErrorEndsAListing) {
  answer(1, kData, 4);
  answer(1, NLMSG_ERROR, -EPERM);
  EXPECT_EQ(list().error().message(), "list them: Operation not permitted");
  EXPECT_TRUE(listed_.empty());
}

TEST_F(Conversations, AnswersToEarlierRequestsArePassedOver) {
  answer(1, NLMSG_ERROR, 0);
  ASSERT_TRUE(ask());
  answer(1, NLMSG_ERROR, -EPERM);
  answer(2, kData, 5);
  answer(2, NLMSG_ERROR, -ENOENT);
  EXPECT_EQ(ask().error().code, ENOENT);
  EXPECT_THAT(listed_, ElementsAre(5));
}

TEST_F(Conversations, ManyRequestsEndWithTheLastOnesOutcome) {
  MessageWriter requests;
  for (std::uint32_t i = 0; i < 3; ++i) write(requests, conversation_->next_number() + i);
  answer(2, NLMSG_ERROR, -ENOENT);
  answer(3, NLMSG_ERROR, 0);
  std::vector<std::size_t> taken;
  const auto take = [&](std::size_t index, const Message&) {
    taken.push_back(index);
    return false;
  };
  ASSERT_TRUE(conversation_->converse(requests.bytes(), 3, "ask", take));
  EXPECT_THAT(taken, ElementsAre(1, 2));
}

}  // namespace
}  // namespace wsl4::netlink
