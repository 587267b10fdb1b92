#include "daemon/election/vrrp.h"

#include <gtest/gtest.h>

#include "tests/unit/election/ip.h"

namespace wsl4::election {
namespace {

using namespace std::chrono_literals;
using State = Vrrp::State;
using Output = Vrrp::Output;
using Outputs = std::vector<Output>;

constexpr TimePoint kAtFirst = TimePoint{} + 1h;

/// Priority 100 at 100 ms: Skew_Time is 156 * 100 / 256 = 60.9375 ms, Active_Down_Interval 360.9375 ms.
constexpr auto kSkew = 60'937'500ns;
constexpr auto kDown = 360'937'500ns;

Vrrp::Settings settings(bool preempt = false) { return {100, 100ms, preempt, ip("198.18.0.2")}; }

Advert advert(int priority, std::chrono::milliseconds interval = 100ms) {
  return {51, static_cast<std::uint8_t>(priority), interval, {ip("198.18.0.100")}};
}

class Machine : public ::testing::Test {
 protected:
  explicit Machine(const Vrrp::Settings& of = settings()) : vrrp(of) { vrrp.start(kAtFirst); }
  Outputs tick(Duration at) {
    vrrp.tick(kAtFirst + at);
    return vrrp.take_outputs();
  }
  Outputs hear(Duration at, int priority, std::string_view source = "198.18.0.1", std::chrono::milliseconds interval = 100ms) {
    vrrp.receive(advert(priority, interval), ip(source), kAtFirst + at);
    return vrrp.take_outputs();
  }
  void become_active() { tick(kDown); }

  Vrrp vrrp;
};
using Backup = Machine;
using Active = Machine;

class Eager : public Machine {
 protected:
  Eager() : Machine(settings(true)) {}
};

TEST_F(Backup, TakesTheRoleAfterThreeIntervalsAndTheSkew) {
  EXPECT_EQ(vrrp.due(), kAtFirst + kDown);
  EXPECT_EQ(tick(kDown - 1ns), Outputs{});
  EXPECT_EQ(tick(kDown), (Outputs{Output::kBecameActive, Output::kAdvertise}));
  EXPECT_EQ(vrrp.state(), State::kActive);
}

TEST_F(Backup, LearnsTheActivesInterval) {
  hear(10ms, 100, "198.18.0.1", 1000ms);
  EXPECT_EQ(vrrp.down_interval(), 3609'375us);
  EXPECT_EQ(vrrp.due(), kAtFirst + 10ms + 3609'375us);
}

TEST_F(Backup, IsKeptBySomebodyLowerUnlessItPreempts) {
  EXPECT_EQ(hear(200ms, 1), Outputs{});
  EXPECT_EQ(vrrp.due(), kAtFirst + 200ms + kDown);
}

TEST_F(Eager, IsNotKeptBySomebodyLower) {
  hear(200ms, 99);
  EXPECT_EQ(vrrp.due(), kAtFirst + kDown);
  EXPECT_FALSE(vrrp.silent(kAtFirst + kDown)) << "somebody is heard all the same";
  EXPECT_EQ(tick(kDown), (Outputs{Output::kBecameActive, Output::kAdvertise}));
}

TEST_F(Eager, IsKeptByAnEqualAndAHigherOne) {
  hear(200ms, 100);
  EXPECT_EQ(vrrp.due(), kAtFirst + 200ms + kDown);
  hear(300ms, 255);
  EXPECT_EQ(vrrp.due(), kAtFirst + 300ms + kDown);
}

TEST_F(Eager, ThatPreemptsNoMoreIsKeptByWhomItIgnored) {
  vrrp.permit(false);
  hear(300ms, 99);
  tick(kDown);
  EXPECT_TRUE(vrrp.expired());
  vrrp.set_preempt(false);
  EXPECT_FALSE(vrrp.expired());
  EXPECT_EQ(vrrp.due(), kAtFirst + 300ms + kDown);
}

TEST_F(Backup, TakesTheRoleAfterTheSkewOnPriorityZero) {
  hear(10ms, 200);
  hear(20ms, 0);
  EXPECT_EQ(vrrp.due(), kAtFirst + 20ms + kSkew);
  EXPECT_EQ(tick(20ms + kSkew), (Outputs{Output::kBecameActive, Output::kAdvertise}));
}

TEST_F(Backup, WaitsForPermission) {
  vrrp.permit(false);
  EXPECT_EQ(tick(kDown), Outputs{});
  EXPECT_TRUE(vrrp.expired());
  EXPECT_EQ(vrrp.due(), std::nullopt);
  vrrp.permit(true);
  EXPECT_EQ(tick(kDown + 50ms), (Outputs{Output::kBecameActive, Output::kAdvertise}));
}

TEST_F(Backup, ForgetsThatItsTimerRanOutWhenItHearsAnActive) {
  vrrp.permit(false);
  tick(kDown);
  hear(kDown + 10ms, 100);
  EXPECT_FALSE(vrrp.expired());
  EXPECT_EQ(vrrp.due(), kAtFirst + 10ms + 2 * kDown);
}

TEST_F(Backup, MayBeGivenTheRoleOrToldThatItIsFree) {
  vrrp.hasten(kAtFirst + 5ms);
  EXPECT_TRUE(vrrp.expired());
  EXPECT_TRUE(vrrp.silent(kAtFirst + 5ms));
  vrrp.take(kAtFirst + 6ms);
  EXPECT_EQ(vrrp.take_outputs(), (Outputs{Output::kBecameActive, Output::kAdvertise}));
  vrrp.take(kAtFirst + 7ms);
  EXPECT_EQ(vrrp.take_outputs(), Outputs{});
}

TEST_F(Active, AdvertisesAtItsInterval) {
  become_active();
  EXPECT_EQ(vrrp.due(), kAtFirst + kDown + 100ms);
  EXPECT_EQ(tick(kDown + 99ms), Outputs{});
  EXPECT_EQ(tick(kDown + 100ms), Outputs{Output::kAdvertise});
}

TEST_F(Active, YieldsToAHigherPriority) {
  become_active();
  EXPECT_EQ(hear(400ms, 101, "198.18.0.1", 200ms), Outputs{Output::kBecameBackup});
  EXPECT_EQ(vrrp.state(), State::kBackup);
  EXPECT_EQ(vrrp.due(), kAtFirst + 400ms + 2 * kDown);
}

TEST_F(Active, AnswersALowerPriorityAtOnce) {
  become_active();
  EXPECT_EQ(hear(400ms, 99), (Outputs{Output::kHeardLower, Output::kAdvertise}));
  EXPECT_EQ(vrrp.due(), kAtFirst + 500ms);
}

TEST_F(Active, OfEqualsTheGreaterAddressStays) {
  become_active();
  EXPECT_EQ(hear(400ms, 100, "198.18.0.1"), (Outputs{Output::kHeardLower, Output::kAdvertise}));
  EXPECT_EQ(hear(400ms, 100, "198.18.0.3"), Outputs{Output::kBecameBackup});
}

TEST_F(Active, IsNotJudgedByAddressesOfTheOtherFamily) {
  become_active();
  EXPECT_EQ(hear(400ms, 100, "fe80::ffff"), (Outputs{Output::kHeardLower, Output::kAdvertise}));
  EXPECT_EQ(hear(400ms, 101, "fe80::1"), Outputs{Output::kBecameBackup});
}

TEST_F(Active, AnswersPriorityZero) {
  become_active();
  EXPECT_EQ(hear(400ms, 0), Outputs{Output::kAdvertise});
}

TEST_F(Active, StopsWithPriorityZero) {
  become_active();
  vrrp.stop();
  EXPECT_EQ(vrrp.take_outputs(), Outputs{Output::kResign});
  EXPECT_EQ(vrrp.due(), std::nullopt);
  EXPECT_EQ(tick(10s), Outputs{});
  EXPECT_EQ(hear(10s, 0), Outputs{});
}

TEST_F(Backup, StopsSilently) {
  vrrp.stop();
  EXPECT_EQ(vrrp.take_outputs(), Outputs{});
  EXPECT_EQ(tick(10s), Outputs{});
}

TEST_F(Active, YieldsWithoutAWordWhenSomebodyElseIsGivenTheRole) {
  become_active();
  vrrp.yield(kAtFirst + 400ms);
  EXPECT_EQ(vrrp.take_outputs(), Outputs{});
  EXPECT_EQ(vrrp.due(), kAtFirst + 400ms + kDown);
}

TEST_F(Active, APriorityThatChangesDecidesFromThenOn) {
  become_active();
  vrrp.set_priority(150);
  EXPECT_EQ(hear(400ms, 120), (Outputs{Output::kHeardLower, Output::kAdvertise}));
  vrrp.set_priority(110);
  EXPECT_EQ(hear(400ms, 120), Outputs{Output::kBecameBackup});
}

TEST(Fast, TenMilliseconds) {
  Vrrp vrrp({254, 10ms, false, ip("198.18.0.2")});
  vrrp.start(kAtFirst);
  EXPECT_EQ(vrrp.down_interval(), 30ms + 78'125ns);
}

}  // namespace
}  // namespace wsl4::election
