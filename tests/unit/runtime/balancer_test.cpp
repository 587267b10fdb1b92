// When shares are dealt and that they reach the kernel; what is dealt is the concern of balance/.
#include "daemon/runtime/balancer.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/desired_states.h"
#include "tests/support/fake_nftables.h"

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLimit = 100;  // of backend b1

class BalancerTest : public testing::Test {
 protected:
  /// Service chat with backend b1 (number 1), which has a limit, and b2 (2).
  void SetUp() override {
    present_.pools["main"] = test::make_pool("main", {"198.18.1.1"});
    present_.services["chat"] = test::make_service("chat", {"198.18.0.10:443"}, {"198.18.2.1:80", "198.18.2.2:80"});
    present_.services["chat"].backends[0].max_connections = kLimit;
    ASSERT_TRUE(applier_.apply(balancer_.deal(test::difference({}, present_))));
    ASSERT_GT(share(1), 0);
    run_until([&] { return !balancer_.wakes_at(); });
  }

  void begin(service::BackendId id, std::uint64_t flows) {
    counts_[id].connections += flows;
    counts_[id].started += flows;
    balancer_.counts_changed({id});
  }
  double share(service::BackendId id) {
    const auto& chat = applier_.state().services.at("chat");
    return chat.share_of(chat.backends.at(id - 1));
  }
  void run_until(const std::function<bool()>& done) {
    io_.restart();
    while (!done()) ASSERT_GT(io_.run_one_for(20s), 0U) << "nothing is due any more";
  }

  boost::asio::io_context io_;
  test::FakeNftables kernel_;
  dataplane::Applier applier_{kernel_, {}};
  service::DesiredState present_;
  std::map<service::BackendId, balance::LiveCount> counts_;
  int failures_ = 0;
  Balancer balancer_{io_, applier_, [this](service::BackendId id) { return counts_[id]; },
                     [this](const netlink::Error&) {
                       ++failures_;
                       EXPECT_TRUE(applier_.repair());
                     }};
};

TEST_F(BalancerTest, AnUrgentDealDoesNotWaitForAnOrdinaryOne) {
  begin(2, 1);
  run_until([&] { return !balancer_.wakes_at(); });
  begin(2, 1);
  const auto ordinary = balancer_.wakes_at();
  ASSERT_TRUE(ordinary);
  begin(1, kLimit);
  ASSERT_TRUE(balancer_.wakes_at());
  EXPECT_LT(*balancer_.wakes_at(), *ordinary);
  run_until([&] { return share(1) == 0; });
  EXPECT_EQ(share(2), 1);
}

TEST_F(BalancerTest, NothingIsDueWhereNothingChanges) {
  balancer_.counts_changed({});
  balancer_.counts_changed({77});
  EXPECT_FALSE(balancer_.wakes_at());
  EXPECT_EQ(*balancer_.service_of(2), "chat");
  EXPECT_EQ(balancer_.service_of(77), nullptr);
}

TEST_F(BalancerTest, ADealThatIsNotMadeIsMadeLater) {
  counts_[1].connections = kLimit;
  auto next = present_;
  next.services.at("chat").backends[1].weight = 50;
  const auto change = test::difference(present_, next);
  balancer_.deal(change);
  balancer_.take_back(service::inverse(change, present_));
  run_until([&] { return share(1) == 0; });
}

TEST_F(BalancerTest, ADealThatTheKernelRefusedIsMadeLater) {
  kernel_.fail_next_commit({ENOBUFS, "commit"});
  begin(1, kLimit);
  run_until([&] { return share(1) == 0; });
  EXPECT_EQ(failures_, 1);
}

TEST_F(BalancerTest, AServiceThatGoesIsForgotten) {
  begin(1, 1);
  ASSERT_TRUE(applier_.apply(balancer_.deal(test::difference(present_, {}))));
  EXPECT_EQ(balancer_.service_of(1), nullptr);
  run_until([&] { return !balancer_.wakes_at(); });
  EXPECT_TRUE(applier_.state().services.empty());
}

}  // namespace
}  // namespace wsl4::runtime
