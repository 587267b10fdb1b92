#include "daemon/health/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <set>

#include <boost/asio/steady_timer.hpp>

#include "tests/support/certificate.h"
#include "tests/support/eventually.h"
#include "tests/support/http_bed.h"
#include "tests/unit/health/check_bed.h"

namespace wsl4::health {
namespace {

using namespace std::chrono_literals;
using netlink::Endpoint;

constexpr const char* kBad = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

Target target(const Endpoint& backend, HealthType type = HealthType::kHttp, std::chrono::milliseconds interval = 20ms) {
  Target result{"chat", backend, health_of(type), nullptr};
  result.health.interval = interval;
  return result;
}

Sources sources(std::initializer_list<const char*> addresses) {
  std::vector<IpAddress> list;
  for (const auto* address : addresses) list.push_back(*IpAddress::parse(address));
  return std::make_shared<const std::vector<IpAddress>>(list);
}

class HealthScheduler : public testing::Test {
 protected:
  void SetUp() override {
    Scheduler::Hooks hooks;
    hooks.on_change = [this](const Status& status) {
      const std::lock_guard lock(mutex_);
      changes_.push_back(status);
    };
    hooks.usable = [this](const IpAddress& source, const Endpoint&) { return source != full_; };
    scheduler_.emplace(thread_.io(), std::move(hooks));
    thread_.start();
  }
  void TearDown() override {
    thread_.run([this] { scheduler_.reset(); });
    thread_.stop();
  }

  void set(std::vector<Target> targets) {
    std::map<std::string, std::vector<Target>> of_services;
    for (const auto& status : snapshot()) of_services[status.service];
    for (auto& target : targets) of_services[target.service].push_back(std::move(target));
    for (auto& each : of_services) thread_.run([&] { scheduler_->set_targets(each.first, std::move(each.second)); });
  }
  std::vector<Status> snapshot() {
    std::vector<Status> result;
    thread_.run([&] { result = scheduler_->snapshot(); });
    return result;
  }
  Standing standing(std::size_t index = 0) { return snapshot().at(index).standing; }
  bool becomes(State state) {
    return test::eventually([&] { return standing().state == state; });
  }
  std::vector<Status> changes() {
    const std::lock_guard lock(mutex_);
    return changes_;
  }

  IpAddress full_;
  std::mutex mutex_;
  std::vector<Status> changes_;  // guarded by mutex_
  test::IoThread thread_;
  std::optional<Scheduler> scheduler_;
};

TEST_F(HealthScheduler, TellsOfEveryChange) {
  std::atomic<bool> good = true;
  LoopbackServer server([&](Peer& peer) {
    peer.read_head();
    peer.send(good ? kOk : kBad);
  });
  set({target(server.endpoint())});
  ASSERT_TRUE(becomes(State::kUp));
  good = false;
  ASSERT_TRUE(becomes(State::kDown));
  good = true;
  ASSERT_TRUE(becomes(State::kUp));

  const auto told = changes();
  ASSERT_EQ(told.size(), 3U);
  for (const auto& status : told) {
    EXPECT_EQ(status.service, "chat");
    EXPECT_EQ(status.backend, server.endpoint());
  }
  EXPECT_EQ(told[0].standing.state, State::kUp);
  EXPECT_EQ(told[0].standing.ok, true);
  EXPECT_EQ(told[1].standing.state, State::kDown);
  EXPECT_EQ(told[1].standing.failure, Failure::kAnswer);
  EXPECT_EQ(told[1].standing.detail, "expected 200-399, got 503");
  EXPECT_EQ(told[2].standing.state, State::kUp);
}

TEST_F(HealthScheduler, ARefusingBackendIsDownForConnecting) {
  const test::RefusingPort port;
  set({target(port.endpoint(), HealthType::kTcp)});
  ASSERT_TRUE(becomes(State::kDown));
  EXPECT_EQ(standing().failure, Failure::kConnect);
  EXPECT_EQ(standing().detail, "connection refused");
}

TEST_F(HealthScheduler, ChecksOverTls) {
  const test::Certificate certificate;
  LoopbackServer server([&](Peer& peer) {
    if (!peer.accept_tls(certificate.server())) return;
    const auto request = peer.read_head();
    peer.send(header(request, "Upgrade").empty() ? kOk : upgrade_answer(request));
  });
  auto lenient = target(server.endpoint(), HealthType::kWebSockets);
  lenient.health.tls_verify = false;
  set({lenient});
  ASSERT_TRUE(becomes(State::kUp));
  set({target(server.endpoint(), HealthType::kHttps)});
  ASSERT_TRUE(becomes(State::kDown));
  EXPECT_EQ(standing().detail, "TLS: self-signed certificate");
}

TEST_F(HealthScheduler, ADeadPathIsTakenOutAndComesBack) {
  std::atomic<bool> dead = true;
  LoopbackServer server([&](Peer& peer) {
    peer.read_head();
    if (!dead || peer.from().address.to_string() != "127.0.0.3") peer.send(kOk);
  });
  auto wanted = target(server.endpoint());
  wanted.sources = sources({"127.0.0.2", "127.0.0.3", "127.0.0.4"});
  set({wanted});
  const auto excluded = [this] { return snapshot().at(0).excluded; };
  ASSERT_TRUE(test::eventually([&] { return excluded() == *sources({"127.0.0.3"}); }));
  dead = false;
  ASSERT_TRUE(test::eventually([&] { return excluded().empty(); }));

  const auto told = changes();
  ASSERT_EQ(told.size(), 3U);
  EXPECT_TRUE(told[0].excluded.empty());
  EXPECT_EQ(told[1].excluded, *sources({"127.0.0.3"}));
  EXPECT_TRUE(told[2].excluded.empty());
  for (const auto& status : told) EXPECT_EQ(status.standing.state, State::kUp);
}

TEST_F(HealthScheduler, NeverChecksFromAFullAddress) {
  std::mutex mutex;
  std::set<std::string> seen;
  LoopbackServer server([&](Peer& peer) {
    peer.read_head();
    peer.send(kOk);
    const std::lock_guard lock(mutex);
    seen.insert(peer.from().address.to_string());
  });
  full_ = *IpAddress::parse("127.0.0.3");
  auto wanted = target(server.endpoint());
  wanted.sources = sources({"127.0.0.2", "127.0.0.3", "127.0.0.4"});
  set({wanted});
  ASSERT_TRUE(test::eventually([&] { return server.connections() >= 9; }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, (std::set<std::string>{"127.0.0.2", "127.0.0.4"}));
}

TEST_F(HealthScheduler, WithoutAnyRoomThereIsNoVerdict) {
  LoopbackServer server(answering(kOk));
  full_ = *IpAddress::parse("127.0.0.3");
  auto wanted = target(server.endpoint());
  wanted.sources = sources({"127.0.0.3"});
  set({wanted});
  ASSERT_TRUE(test::eventually([&] { return !standing().detail.empty(); }));
  EXPECT_EQ(standing().state, State::kChecking);
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(HealthScheduler, TargetsThatStayKeepTheirStanding) {
  const test::RefusingPort first;
  LoopbackServer second(answering(kOk));
  set({target(first.endpoint())});
  ASSERT_TRUE(becomes(State::kDown));
  const auto down_since = standing().down_since;

  auto slower = target(first.endpoint(), HealthType::kTcp, 50ms);
  slower.health.fall = 5;
  set({slower, target(second.endpoint())});
  ASSERT_TRUE(test::eventually([&] { return second.connections() > 2; }));
  const auto all = snapshot();
  ASSERT_EQ(all.size(), 2U);
  const auto& stayed = all[all[0].backend == first.endpoint() ? 0 : 1].standing;
  EXPECT_EQ(stayed.state, State::kDown);
  EXPECT_EQ(stayed.down_since, down_since);

  set({target(second.endpoint())});
  EXPECT_EQ(snapshot().size(), 1U);
  set({target(second.endpoint()), target(first.endpoint(), HealthType::kTcp, 1h)});
  const auto again = snapshot();
  EXPECT_EQ(again[again[0].backend == first.endpoint() ? 0 : 1].standing, Standing());
}

TEST_F(HealthScheduler, AnotherIntervalHoldsAtOnce) {
  LoopbackServer server(answering(kOk));
  set({target(server.endpoint(), HealthType::kHttp, 1h)});
  ASSERT_TRUE(becomes(State::kUp));
  set({target(server.endpoint(), HealthType::kHttp, 20ms)});
  EXPECT_TRUE(test::eventually([&] { return server.connections() > 5; }));
}

TEST_F(HealthScheduler, SnapshotsOfOneService) {
  LoopbackServer server(answering(kOk));
  auto other = target(server.endpoint());
  other.service = "chatter";
  const test::RefusingPort port;
  set({target(server.endpoint()), other, target(port.endpoint()), target(server.endpoint())});  // one of them twice
  thread_.run([&] {
    EXPECT_EQ(scheduler_->snapshot("chat").size(), 2U);
    EXPECT_EQ(scheduler_->snapshot("chatter").size(), 1U);
    EXPECT_EQ(scheduler_->snapshot("cha").size(), 0U);
    EXPECT_EQ(scheduler_->snapshot().size(), 3U);
  });
}

TEST_F(HealthScheduler, CheckNowDoesNotWaitForTheInterval) {
  LoopbackServer server(answering(kOk));
  set({target(server.endpoint(), HealthType::kHttp, 1h)});
  ASSERT_TRUE(becomes(State::kUp));
  for (std::size_t wanted = 2; wanted <= 3; ++wanted) {
    ASSERT_TRUE(test::eventually([&] {
      thread_.run([&] {
        scheduler_->check_now("chat", server.endpoint());
        scheduler_->check_now("nobody", server.endpoint());
      });
      return server.connections() >= wanted;
    }));
  }
  EXPECT_LE(server.connections(), 4U);  // though asked for thousands of times
}

TEST_F(HealthScheduler, AtMostSoManyChecksRunAtOnceAndTheRestHaveTheirTurn) {
  constexpr std::size_t kTargets = kMaxChecks + 50;
  std::promise<void> release;
  const auto released = release.get_future().share();
  LoopbackServer server(
      [&](Peer& peer) {
        peer.read_head();
        released.wait();
        peer.send(kOk);
      },
      "::");
  std::vector<Target> targets;
  for (std::size_t i = 0; i < kTargets; ++i) {
    const auto address = *IpAddress::parse("127.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250));
    targets.push_back(target({address, server.endpoint().port}, HealthType::kHttp, 100ms));
  }
  set(targets);
  ASSERT_TRUE(test::eventually([&] { return server.connections() >= kMaxChecks; }));
  // A timer that ends after all first pauses: when it does, everybody has been due.
  std::promise<void> all_were_due;
  boost::asio::steady_timer timer(thread_.io());
  thread_.run([&] {
    timer.expires_after(150ms);
    timer.async_wait([&](const boost::system::error_code&) { all_were_due.set_value(); });
  });
  all_were_due.get_future().wait();
  EXPECT_EQ(server.connections(), kMaxChecks);
  release.set_value();
  EXPECT_TRUE(test::eventually([&] {
    const auto all = snapshot();
    return std::ranges::all_of(all, [](const Status& status) { return status.standing.state == State::kUp; });
  }));
}

TEST_F(HealthScheduler, TargetsThatGoGiveTheirPlaceBack) {
  LoopbackServer silent([](Peer& peer) { peer.wait_for_end(); }, "::");
  LoopbackServer good(answering(kOk));
  std::vector<Target> targets;
  for (std::size_t i = 0; i < kMaxChecks + 10; ++i) {
    const auto address = *IpAddress::parse("127.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250));
    targets.push_back(target({address, silent.endpoint().port}));
  }
  set(targets);
  ASSERT_TRUE(test::eventually([&] { return silent.connections() >= kMaxChecks; }));
  set({target(good.endpoint())});
  EXPECT_TRUE(becomes(State::kUp));
}

TEST_F(HealthScheduler, MayGoWhileChecksRun) {
  LoopbackServer silent([](Peer& peer) { peer.wait_for_end(); });
  auto over_tls = target(silent.endpoint(), HealthType::kHttps);
  over_tls.service = "other";
  set({target(silent.endpoint()), over_tls});
  ASSERT_TRUE(test::eventually([&] { return silent.connections() >= 2; }));
  thread_.run([this] { scheduler_.reset(); });
  EXPECT_TRUE(changes().empty());
}

TEST_F(HealthScheduler, TakesOverWhatAnotherNodeFound) {
  const test::RefusingPort first, second;
  auto down = target(first.endpoint(), HealthType::kTcp, 1h), up = target(second.endpoint(), HealthType::kTcp, 1h);
  set({down, up});
  thread_.run([&] {
    auto statuses = scheduler_->snapshot();
    for (auto& status : statuses) status.peers = PeerVerdict{status.backend == first.endpoint(), "", {}};
    statuses.push_back({"gone", first.endpoint(), {}, {}, PeerVerdict{}});
    scheduler_->take_over(statuses);
  });
  for (const auto& status : snapshot())
    EXPECT_EQ(status.standing.state, status.backend == first.endpoint() ? State::kDown : State::kUp);
  EXPECT_TRUE(changes().empty());
}

}  // namespace
}  // namespace wsl4::health
