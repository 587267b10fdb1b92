#include "daemon/flows/replicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_conntrack.h"
#include "tests/support/recording_prober.h"
#include "tests/support/sync_flows.h"

namespace wsl4::flows {
namespace {

using ChangeKind = FlowChange::Kind;
using sync::Operation;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint32_t kMask = 0x00ffff00;

service::DesiredState three_backends() {
  service::DesiredState state;
  auto& chat = state.services["chat"];
  chat.listen = {*netlink::Endpoint::parse("198.18.0.100:443")};
  for (unsigned n = 0; n < 3; ++n) {
    auto& backend = chat.backends.emplace_back();
    backend.id = service::BackendId{n + 1};
    backend.address = *netlink::Endpoint::parse("198.18.2." + std::to_string(n) + ":8888");
  }
  return state;
}

class ReplicatorTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto state = three_backends();
    const service::StateChange all{{}, {state.services.begin(), state.services.end()}};
    EXPECT_TRUE(numbers_.follow(all, {}));
    replicator_.follow(all, {});
  }
  void apply(std::uint64_t number, std::vector<Operation> operations) {
    replicator_.apply({number, std::move(operations)});
    io_.restart();
    io_.run();
  }
  [[nodiscard]] std::optional<netlink::conntrack::Flow> entry(std::uint32_t number) const {
    return conntrack_.find(to_kernel(test::sync_flow(number)).original);
  }
  /// As the kernel shows a flow to backend `number` % 3.
  static netlink::conntrack::Flow assured(std::uint32_t number) {
    auto flow = to_kernel(test::sync_flow(number));
    flow.status = netlink::conntrack::status::kAssured;
    return flow;
  }
  std::vector<ChangeKind> kinds() {
    std::vector<ChangeKind> kinds;
    for (const auto& change : told_) kinds.push_back(change.kind);
    return kinds;
  }

  boost::asio::io_context io_;
  test::FakeConntrack conntrack_;
  test::RecordingProber prober_;
  service::MarkLayout mark_{kMask};
  FlowChanges told_;
  std::vector<OperationsDone> done_;
  std::vector<BackendNumbers::Place> unknown_;
  std::vector<netlink::conntrack::Flow> put_, erased_;
  int looks_ = 0;
  BackendNumbers numbers_;
  Replicator replicator_{
      io_,
      mark_,
      conntrack_,
      prober_,
      numbers_,
      {[this](FlowChanges changes) { told_.insert(told_.end(), changes.begin(), changes.end()); },
       [this](OperationsDone done) { done_.push_back(std::move(done)); },
       [this](const BackendNumbers::Place& place) { unknown_.push_back(place); },
       {.put = [this](const auto& flow) { put_.push_back(flow); }, .erased = [this](const auto& flow) { erased_.push_back(flow); }},
       [this] { ++looks_; }},
      std::chrono::milliseconds(0)};
};

TEST_F(ReplicatorTest, ACopyBearsTheNumberThatItsBackendHasHere) {
  apply(1, {{Operation::Kind::kUpsert, test::sync_flow(4)}, {Operation::Kind::kUpsert, test::sync_flow(5)}});
  ASSERT_TRUE(entry(4) && entry(5));
  EXPECT_EQ(entry(4)->mark, mark_.to_mark(service::BackendId{2}));
  EXPECT_EQ(entry(5)->mark, mark_.to_mark(service::BackendId{3}));
  EXPECT_EQ(entry(4)->timeout, kCopyTimeout);
  ASSERT_EQ(put_.size(), 2U);
  EXPECT_TRUE(is_copied(put_[0])) << "counted as what it is, an established connection";
  EXPECT_EQ(put_[0].mark, entry(4)->mark);
  apply(2, {{Operation::Kind::kErase, test::sync_flow(4)}});
  EXPECT_FALSE(entry(4));
  EXPECT_EQ(erased_.size(), 1U);
  ASSERT_EQ(done_.size(), 2U);
  EXPECT_TRUE(done_[0].known && done_[1].known);
}

TEST_F(ReplicatorTest, ACopyThatClosesGetsAShortTimer) {
  apply(1, {{Operation::Kind::kUpsert, test::sync_flow(4)}});
  auto closing = test::sync_flow(4);
  closing.flags = sync::kClosing;
  closing.timeout_s = 60;
  apply(2, {{Operation::Kind::kUpsert, closing}});
  EXPECT_EQ(entry(4)->timeout, std::chrono::seconds(60));
}

TEST_F(ReplicatorTest, AFlowToABackendThatHasNoNumberIsRefusedUntilItHasOne) {
  auto stranger = test::sync_flow(4);
  stranger.backend.port = 9999;
  apply(1, {{Operation::Kind::kUpsert, stranger}, {Operation::Kind::kUpsert, test::sync_flow(5)}});
  EXPECT_THAT(unknown_, ElementsAre(place_of(stranger)));
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_THAT(done_[0].refused, ElementsAre(stranger));
  EXPECT_EQ(done_[0].unasked, 1U);
  EXPECT_TRUE(entry(5));
  EXPECT_FALSE(entry(4));

  numbers_.set_gone({{place_of(stranger), 7}});
  apply(2, {{Operation::Kind::kUpsert, stranger}});
  EXPECT_THAT(done_.at(1).refused, IsEmpty());
  ASSERT_TRUE(entry(4));
  EXPECT_EQ(entry(4)->mark, mark_.to_mark(service::BackendId{7}));
}

TEST_F(ReplicatorTest, TellsInOrderAndOnlyWhatIsCopied) {
  auto half_open = assured(2);
  half_open.status = 0;
  replicator_.seen(assured(1));
  replicator_.seen(half_open);
  replicator_.ended(half_open);
  replicator_.ended(assured(1));
  replicator_.dump_began();
  replicator_.dumped(assured(3));
  replicator_.dump_ended(true);
  EXPECT_THAT(told_, IsEmpty()) << "in one piece, at the flush";
  replicator_.flush();
  EXPECT_THAT(kinds(), ElementsAre(ChangeKind::kSeen, ChangeKind::kEnded, ChangeKind::kDumpBegan, ChangeKind::kDumped,
                                   ChangeKind::kDumpEnded));
}

TEST_F(ReplicatorTest, ChangesThatFollowOthersAreGathered) {
  const auto replicator = [this](std::chrono::milliseconds gather_time) {
    Replicator::Callbacks callbacks;
    callbacks.on_changes = [this](FlowChanges changes) { told_.insert(told_.end(), changes.begin(), changes.end()); };
    return std::make_unique<Replicator>(io_, mark_, conntrack_, prober_, numbers_, std::move(callbacks), gather_time);
  };
  const auto see = [](Replicator& to, std::size_t flows) {
    for (std::size_t i = 0; i < flows; ++i) to.seen(assured(1));
    to.flush();
  };
  const auto patient = replicator(std::chrono::hours(1));
  see(*patient, 1);
  EXPECT_EQ(told_.size(), 1U) << "the first one at once";
  see(*patient, Replicator::kGathered - 1);
  EXPECT_EQ(told_.size(), 1U);
  see(*patient, 1);
  EXPECT_EQ(told_.size(), 1 + Replicator::kGathered) << "so many do not wait";
  see(*patient, 2);
  patient->pass_on();
  EXPECT_EQ(told_.size(), 3 + Replicator::kGathered);

  told_.clear();
  const auto quick = replicator(std::chrono::milliseconds(1));
  while (told_.size() != 1) {  // a machine that is slow enough has passed on the second too
    told_.clear();
    see(*quick, 1);
    see(*quick, 1);
  }
  io_.restart();
  while (told_.size() == 1) io_.run_one();
  EXPECT_EQ(told_.size(), 2U);
}

TEST_F(ReplicatorTest, WhatThePairsThreadCannotTakeIsLeftToADump) {
  for (std::size_t i = 0; i < Replicator::kMaxChanges; ++i) replicator_.seen(assured(1));
  replicator_.flush();
  ASSERT_EQ(told_.size(), Replicator::kMaxChanges);
  told_.clear();
  for (int i = 0; i < 3; ++i) {
    replicator_.seen(assured(2));
    replicator_.flush();
  }
  EXPECT_THAT(kinds(), ElementsAre(ChangeKind::kLost)) << "once";
  EXPECT_EQ(looks_, 0);
  replicator_.taken(Replicator::kMaxChanges);
  replicator_.flush();
  EXPECT_EQ(looks_, 0) << "that something was lost has to be taken too";
  replicator_.taken(1);
  replicator_.flush();
  EXPECT_EQ(looks_, 1);
  replicator_.seen(assured(2));
  replicator_.flush();
  EXPECT_THAT(kinds(), ElementsAre(ChangeKind::kLost, ChangeKind::kSeen));
}

TEST_F(ReplicatorTest, ADumpOfWhichAPartWasLostIsABrokenOne) {
  const auto dump = [&](std::size_t flows) {
    told_.clear();
    replicator_.dump_began();
    for (std::size_t i = 0; i < flows; ++i) {
      replicator_.dumped(assured(1));
      if (i % 1024 == 0) replicator_.flush();
    }
    replicator_.flush();
    replicator_.dump_ended(true);
    replicator_.flush();
  };
  dump(Replicator::kMaxChanges + 1);
  EXPECT_THAT(kinds(),
              AllOf(Contains(ChangeKind::kLost), Contains(ChangeKind::kDumpBroken), Not(Contains(ChangeKind::kDumpEnded))));
  dump(2000);
  EXPECT_THAT(kinds(),
              AllOf(Not(Contains(ChangeKind::kLost)), Contains(ChangeKind::kDumpBroken), Not(Contains(ChangeKind::kDumpEnded))))
      << "of this one too, which the loss was not told of";
  dump(1);
  EXPECT_THAT(kinds(), ElementsAre(ChangeKind::kDumpBegan, ChangeKind::kDumped, ChangeKind::kDumpEnded));
}

}  // namespace
}  // namespace wsl4::flows
