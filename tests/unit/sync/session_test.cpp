#include "sync/session.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/sync_flows.h"

namespace wsl4::sync {
namespace {

using std::chrono::milliseconds;
using test::sync_flow;

Options options(std::string node, std::uint64_t incarnation) {
  Options result;
  result.node = std::move(node);
  result.incarnation = incarnation;
  return result;
}

/// Two sessions and a connection without delay; kernels that do what they are told.
class Sessions : public testing::Test {
 protected:
  void SetUp() override { open(options("lb-a", 1), options("lb-b", 2)); }
  void open(const Options& a, const Options& b) {
    a_ = std::make_unique<Session>(a);
    b_ = std::make_unique<Session>(b);
  }
  void connect() {
    a_->connected(now_);
    b_->connected(now_);
  }
  void disconnect() {
    a_->disconnected();
    b_->disconnected();
  }
  /// Moves bytes from one to the other; returns how many.
  std::size_t move(Session& from, Session& to, std::size_t limit = 1 << 20) {
    std::vector<std::uint8_t> bytes;
    from.pull(bytes, limit, now_);
    to.receive(bytes, now_);
    moved_ += bytes.size();
    return bytes.size();
  }
  static bool inject(Session& session) {
    const auto batch = session.take_operations(1'000);
    session.operations_done(batch.number, {});
    return !batch.operations.empty();
  }
  /// Until nothing moves any more.
  void run() {
    for (bool busy = true; busy;) {
      busy = move(*a_, *b_) > 0;
      busy = move(*b_, *a_) > 0 || busy;
      busy = inject(*a_) || busy;
      busy = inject(*b_) || busy;
    }
  }
  void active_and_standby() {
    a_->set_role(Role::kActive);
    b_->set_role(Role::kStandby);
    connect();
    run();
  }
  static bool equal(const Session& one, const Session& other) {
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      if (one.flows().digest(bucket) != other.flows().digest(bucket)) return false;
    }
    return true;
  }
  template <class Kind>
  static std::optional<Kind> last(Session& session) {
    std::optional<Kind> found;
    for (auto& event : session.take_events()) {
      if (auto* kind = std::get_if<Kind>(&event)) found = std::move(*kind);
    }
    return found;
  }
  std::unique_ptr<Session> a_, b_;
  Time now_ = milliseconds{1'000};
  std::size_t moved_ = 0;
};

TEST_F(Sessions, CopyWhatTheActiveHolds) {
  a_->set_role(Role::kActive);
  for (std::uint32_t i = 0; i < 5'000; ++i) a_->learn(sync_flow(i, i % 2 == 0 ? Family::kIpv4 : Family::kIpv6), now_);
  b_->set_role(Role::kStandby);
  connect();
  run();
  EXPECT_EQ(a_->state(), State::kSynced);
  EXPECT_EQ(b_->state(), State::kSynced);
  EXPECT_TRUE(equal(*a_, *b_));
  EXPECT_EQ(b_->find(sync_flow(17, Family::kIpv6)), sync_flow(17, Family::kIpv6));
  EXPECT_EQ(a_->status(now_).sent, 5'000U);
  EXPECT_EQ(b_->status(now_).received, 5'000U);
  EXPECT_EQ(b_->status(now_).flows, 5'000U);
}

TEST_F(Sessions, AcknowledgeOnlyWhatTheKernelHas) {
  active_and_standby();
  a_->learn(sync_flow(1), now_);
  move(*a_, *b_);
  move(*b_, *a_);
  EXPECT_EQ(a_->status(now_).pending, 1U);
  now_ += milliseconds{7};
  EXPECT_EQ(a_->status(now_).lag, milliseconds{7});
  const auto batch = b_->take_operations(10);
  ASSERT_EQ(batch.operations.size(), 1U);
  move(*b_, *a_);
  EXPECT_EQ(a_->status(now_).pending, 1U) << "taken is not done";
  b_->operations_done(batch.number, {});
  move(*b_, *a_);
  EXPECT_EQ(a_->status(now_).pending, 0U);
  EXPECT_EQ(a_->status(now_).lag, milliseconds{7});
}

TEST_F(Sessions, AreNotSyncedWhileAKernelRefuses) {
  auto quick = options("lb-b", 2);
  quick.refused_retry = milliseconds{100};
  open(options("lb-a", 1), quick);
  active_and_standby();
  a_->learn(sync_flow(1), now_);
  move(*a_, *b_);
  const std::vector<Flow> refused{sync_flow(1)};
  b_->operations_done(b_->take_operations(10).number, refused);
  run();
  EXPECT_EQ(a_->state(), State::kBulk);
  EXPECT_EQ(b_->state(), State::kBulk);
  EXPECT_EQ(b_->status(now_).refusals, 1U);
  now_ += milliseconds{100};
  b_->tick(now_);
  run();
  EXPECT_EQ(a_->state(), State::kSynced);
}

TEST_F(Sessions, SendAFlowOnceHoweverOftenItChanged) {
  active_and_standby();
  auto flow = sync_flow(1);
  for (std::uint8_t state = 0; state < 100; ++state) {
    flow.tcp_state = state;
    a_->learn(flow, now_);
  }
  a_->learn(sync_flow(2), now_);
  a_->forget(sync_flow(2), now_);
  run();
  EXPECT_EQ(a_->status(now_).sent, 2U);
  EXPECT_EQ(b_->find(flow), flow);
  EXPECT_EQ(b_->find(sync_flow(2)), std::nullopt);
}

TEST_F(Sessions, KeepToTheWindowBeforeASlowKernel) {
  auto narrow = options("lb-a", 1);
  narrow.window = 100;
  open(narrow, options("lb-b", 2));
  active_and_standby();
  for (std::uint32_t i = 0; i < 50'000; ++i) a_->learn(sync_flow(i), now_);
  while (move(*a_, *b_) > 0) move(*b_, *a_);
  EXPECT_LE(b_->status(now_).unapplied, 1'500U) << "a frame may go over";
  run();
  EXPECT_EQ(a_->status(now_).pending, 0U);
  EXPECT_TRUE(equal(*a_, *b_));
}

TEST_F(Sessions, ResumeWithWhatHasChangedOnly) {
  for (std::uint32_t i = 0; i < 20'000; ++i) a_->learn(sync_flow(i), now_);
  active_and_standby();
  disconnect();
  for (std::uint32_t i = 0; i < 200; ++i) a_->forget(sync_flow(i), now_);
  for (std::uint32_t i = 30'000; i < 30'200; ++i) a_->learn(sync_flow(i), now_);
  const auto sent = a_->status(now_).sent;
  moved_ = 0;
  connect();
  run();
  EXPECT_EQ(a_->state(), State::kSynced);
  EXPECT_TRUE(equal(*a_, *b_));
  EXPECT_EQ(a_->status(now_).sent - sent, 400U);
  EXPECT_EQ(a_->status(now_).resyncs, 1U) << "only the first comparison found anything";
  EXPECT_LT(moved_, kBuckets * 8 + 400 * 48 + 1'000) << "digests and changes";
}

TEST_F(Sessions, SendOnlyBucketsThatDifferToARestartedStandby) {
  for (std::uint32_t i = 0; i < 20'000; ++i) a_->learn(sync_flow(i), now_);
  active_and_standby();
  disconnect();
  b_ = std::make_unique<Session>(options("lb-b", 3));
  for (std::uint32_t i = 0; i < 20'000; ++i) b_->learn(sync_flow(i), now_);  // its kernel has kept them
  a_->forget(sync_flow(5), now_);
  const auto sent = a_->status(now_).sent;
  b_->set_role(Role::kStandby);
  connect();
  run();
  EXPECT_TRUE(equal(*a_, *b_));
  EXPECT_LT(a_->status(now_).sent - sent, 30U) << "one bucket of about five flows";
}

TEST_F(Sessions, CompareAnewRatherThanRememberTooMuch) {
  active_and_standby();
  disconnect();
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    a_->learn(sync_flow(i), now_);
    a_->forget(sync_flow(i), now_);
  }
  EXPECT_LE(a_->status(now_).pending, 4'096U + 1) << "memory is bounded by the number of flows";
  a_->learn(sync_flow(1), now_);
  connect();
  run();
  EXPECT_TRUE(equal(*a_, *b_));
  for (std::uint32_t i = 0; i < 20'000; ++i) {  // the same while a peer is connected that takes nothing
    a_->learn(sync_flow(i), now_);
    a_->forget(sync_flow(i), now_);
  }
  EXPECT_LE(a_->status(now_).pending, 4'096U + 2);
  run();
  EXPECT_EQ(a_->state(), State::kSynced);
  EXPECT_TRUE(equal(*a_, *b_));
}

TEST_F(Sessions, HandOverWithoutCopyingAgain) {
  for (std::uint32_t i = 0; i < 1'000; ++i) a_->learn(sync_flow(i), now_);
  active_and_standby();
  b_->set_role(Role::kActive);
  run();
  a_->set_role(Role::kStandby);
  run();
  EXPECT_EQ(a_->state(), State::kSynced);
  EXPECT_EQ(b_->state(), State::kSynced);
  EXPECT_EQ(a_->flows().own().size(), 0U);
  EXPECT_EQ(b_->status(now_).sent, 0U) << "digests were equal";
  b_->forget(sync_flow(3), now_);
  run();
  EXPECT_EQ(a_->find(sync_flow(3)), std::nullopt);
}

TEST_F(Sessions, HandOverAFlowThatEndsMeanwhile) {
  a_->learn(sync_flow(1), now_);
  active_and_standby();
  b_->set_role(Role::kActive);
  auto ended = sync_flow(1);
  ended.flags = kClosing;
  a_->learn(ended, now_);  // its last packets have gone this way
  for (bool busy = true; busy;) {
    busy = move(*a_, *b_) > 0;
    busy = move(*b_, *a_) > 0 || busy;
    const auto batch = b_->take_operations(1'000);
    for (const auto& operation : batch.operations) EXPECT_EQ(operation.flow, ended);
    busy = busy || !batch.operations.empty();
    b_->operations_done(batch.number, {});
    busy = inject(*a_) || busy;
  }
  a_->set_role(Role::kStandby);
  run();
  EXPECT_EQ(a_->find(ended), ended);
  EXPECT_EQ(b_->find(ended), ended);
  EXPECT_TRUE(equal(*a_, *b_));
}

TEST_F(Sessions, MergeTheFlowsOfTwoActives) {
  active_and_standby();
  a_->learn(sync_flow(1), now_);
  run();
  disconnect();
  b_->set_role(Role::kActive);
  a_->learn(sync_flow(2), now_);
  b_->learn(sync_flow(3), now_);
  auto here = sync_flow(4), there = sync_flow(4);
  there.snat.port = 9;
  a_->learn(here, now_);
  b_->learn(there, now_);
  connect();
  run();
  EXPECT_EQ(a_->state(), State::kSynced);
  EXPECT_EQ(a_->find(sync_flow(3)), sync_flow(3));
  EXPECT_EQ(b_->find(sync_flow(2)), sync_flow(2));
  EXPECT_EQ(a_->find(here), here) << "each keeps its own";
  EXPECT_EQ(b_->find(there), there);
  b_->set_role(Role::kStandby);
  run();
  EXPECT_EQ(a_->flows().own().size(), 4U);
  EXPECT_EQ(b_->find(there), here) << "the active's is right";
  EXPECT_TRUE(equal(*a_, *b_));
}

TEST_F(Sessions, RepairTheKernelOfAStandby) {
  a_->learn(sync_flow(1), now_);
  active_and_standby();
  b_->repair(sync_flow(1));
  b_->repair(sync_flow(2));
  EXPECT_EQ(b_->state(), State::kBulk);
  const auto batch = b_->take_operations(10);
  ASSERT_EQ(batch.operations.size(), 2U);
  EXPECT_EQ(batch.operations[0].kind, Operation::Kind::kUpsert);
  EXPECT_EQ(batch.operations[1].kind, Operation::Kind::kErase);
  b_->operations_done(batch.number, {});
  EXPECT_EQ(b_->state(), State::kSynced);
  EXPECT_EQ(b_->status(now_).repairs, 2U);
}

TEST_F(Sessions, OfAStandbyBelieveTheActiveNotTheirKernel) {
  a_->learn(sync_flow(1), now_);
  active_and_standby();
  b_->forget(sync_flow(1), now_);
  b_->learn(sync_flow(2), now_);
  EXPECT_EQ(b_->find(sync_flow(1)), sync_flow(1));
  EXPECT_EQ(b_->find(sync_flow(2)), std::nullopt);
}

TEST_F(Sessions, PassOnWhatIsNotTheirBusiness) {
  a_->publish(7, {1, 2, 3});
  active_and_standby();
  EXPECT_EQ(last<SharedState>(*b_)->bytes, (std::vector<std::uint8_t>{1, 2, 3}));
  a_->set_role(Role::kFault);
  run();
  EXPECT_EQ(last<event::PeerRole>(*b_)->role, Role::kFault);
}

TEST_F(Sessions, KeepTime) {
  active_and_standby();
  now_ += milliseconds{100};
  a_->tick(now_);
  move(*a_, *b_);
  now_ += milliseconds{3};
  move(*b_, *a_);
  EXPECT_EQ(a_->status(now_).peer.round_trip, milliseconds{3});
  EXPECT_EQ(a_->status(now_).peer.answered, now_ - milliseconds{3});
  now_ = milliseconds{10};  // the clock goes back
  a_->tick(now_);
  EXPECT_EQ(a_->state(), State::kSynced);
  now_ += milliseconds{999};
  a_->tick(now_);
  EXPECT_EQ(a_->state(), State::kSynced);
  now_ += milliseconds{1};
  a_->tick(now_);
  EXPECT_EQ(last<event::Ended>(*a_)->error.reason, Reason::kSilence);
  EXPECT_EQ(a_->state(), State::kDisconnected);
}

}  // namespace
}  // namespace wsl4::sync
