#include "daemon/flows/reaper.h"

#include <gtest/gtest.h>

#include "tests/support/fake_conntrack.h"
#include "tests/unit/flows/some_flows.h"

namespace wsl4::flows {
namespace {

using namespace std::chrono_literals;

Flow in_state(Flow flow, TcpState state) {
  flow.tcp_state = state;
  return flow;
}

class ReaperTest : public testing::Test {
 protected:
  ReaperTest() { reaper_.set_backends({7}); }

  /// The flow is in the kernel in this state from now on.
  void turn(const Flow& flow, TcpState state) {
    const std::array gone{flow};
    ASSERT_TRUE(conntrack_.erase(gone));
    conntrack_.add(in_state(flow, state));
  }
  std::size_t step(std::chrono::milliseconds when) { return reaper_.step(start_ + when).value().size(); }

  test::FakeConntrack conntrack_;
  Reaper reaper_{conntrack_, kMark};
  const Reaper::TimePoint start_{1h};
};

TEST_F(ReaperTest, TakesOutWhatHasClosed) {
  const auto one = closing(flow(1, 7));
  conntrack_.add(one);
  reaper_.offer(one, start_);
  EXPECT_EQ(reaper_.due(), start_ + 100ms);
  EXPECT_EQ(step(100ms), 0U) << "it closes still";
  EXPECT_EQ(conntrack_.size(), 1U);
  turn(one, TcpState::kTimeWait);
  EXPECT_EQ(reaper_.due(), start_ + 300ms);
  EXPECT_EQ(step(299ms), 0U);
  EXPECT_EQ(step(300ms), 1U);
  EXPECT_EQ(conntrack_.size(), 0U);
  EXPECT_FALSE(reaper_.due());
}

TEST_F(ReaperTest, AResetFlowIsTakenOutAtOnce) {
  const auto one = in_state(closing(flow(1, 7)), TcpState::kClose);
  conntrack_.add(one);
  reaper_.offer(one, start_);
  EXPECT_EQ(step(0ms), 1U);
}

TEST_F(ReaperTest, OtherBackendsAndLiveFlowsAreLeftAlone) {
  for (const auto& one : {closing(flow(1, 8)), flow(2, 7), half_open(flow(3, 7))}) {
    conntrack_.add(one);
    reaper_.offer(one, start_);
  }
  EXPECT_FALSE(reaper_.due());
}

TEST_F(ReaperTest, IsAskedOfOneFlowOnce) {
  const auto one = closing(flow(1, 7));
  reaper_.offer(one, start_);
  reaper_.offer(one, start_ + 1ms);
  EXPECT_EQ(step(200ms), 0U) << "it has gone by itself";
  EXPECT_FALSE(reaper_.due());
}

TEST_F(ReaperTest, ANewFlowWithTheSameTupleStays) {
  const auto one = closing(flow(1, 7));
  reaper_.offer(one, start_);
  auto next = in_state(one, TcpState::kTimeWait);
  ++next.id;
  conntrack_.add(next);
  EXPECT_EQ(step(100ms), 0U);
  EXPECT_EQ(conntrack_.size(), 1U);
}

TEST_F(ReaperTest, WhoNeverClosesIsLookedAtEverLessOften) {
  const auto one = closing(flow(1, 7));
  conntrack_.add(one);
  reaper_.offer(one, start_);
  int looks = 0;
  auto now = start_;
  for (; now < start_ + 60s; ++looks) {
    now = *reaper_.due();
    ASSERT_TRUE(reaper_.step(now));
  }
  EXPECT_LT(looks, 20);
  EXPECT_LE(*reaper_.due() - now, 5s);
}

TEST_F(ReaperTest, AnErrorIsTold) {
  reaper_.offer(closing(flow(1, 7)), start_);
  conntrack_.fail_next({EIO, "find"});
  EXPECT_FALSE(reaper_.step(start_ + 1s));
}

}  // namespace
}  // namespace wsl4::flows
