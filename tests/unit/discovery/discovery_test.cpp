#include "daemon/discovery/discovery.h"

#include <functional>
#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/dns_server.h"

namespace wsl4::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DnsServer;
using Mood = DnsServer::Mood;
namespace dns = test::dns;

std::string text_of(const std::vector<Backend>& backends) {
  std::string text;
  for (const auto& backend : backends) {
    text += fmt::format("{}{}={}/{}", text.empty() ? "" : " ", backend.name, backend.address.to_string(), backend.weight);
  }
  return text;
}

/// TTLs are 1 s, so that a change is seen by the next look.
class DiscoveryRun : public testing::Test {
 protected:
  void start(const char* source, std::vector<Backend> last = {}, Families families = {true, true}) {
    Observer observer;
    observer.changed = [this](const std::vector<Backend>& backends, std::size_t) { told_.push_back(text_of(backends)); };
    observer.failed = [this](const std::string& why) { told_.push_back("failed: " + why); };
    observer.recovered = [this] { told_.emplace_back("recovered"); };
    discovery_.emplace(io_, *parse_source(source), families, observer, std::move(last),
                       ClientOptions{{server_.endpoint()}, milliseconds(100), 1});
  }
  void run_until(const std::function<bool()>& condition) {
    while (!condition()) ASSERT_GT(io_.run_one_for(seconds(30)), 0U) << "the runner waits for ever";
  }
  std::string next() {
    run_until([this] { return seen_ < told_.size(); });
    return seen_ < told_.size() ? told_[seen_++] : "";
  }
  /// Until the server has been asked `times` more.
  void run_looks(std::size_t times) {
    const auto before = server_.asked_by_udp().size();
    run_until([&] { return server_.asked_by_udp().size() >= before + times; });
  }

  DnsServer server_;
  boost::asio::io_context io_;
  std::optional<Discovery> discovery_;
  std::vector<std::string> told_;
  std::size_t seen_ = 0;
};

TEST_F(DiscoveryRun, FollowsServicesAsTheyChange) {
  server_.set({dns::service("_ws._tcp.example", {1, 10, 8888, "a.example"}, 1),
               dns::service("_ws._tcp.example", {1, 20, 8888, "b.example"}, 1), dns::address("a.example", "198.18.0.1", 1),
               dns::address("b.example", "198.18.0.2", 1)});
  start("dns:_ws._tcp.example");
  EXPECT_EQ(next(), "a.example=198.18.0.1:8888/10 b.example=198.18.0.2:8888/20");
  EXPECT_TRUE(discovery_->status().last_success);
  EXPECT_FALSE(discovery_->status().failing);
  server_.set({dns::service("_ws._tcp.example", {1, 20, 8888, "b.example"}, 1), dns::address("b.example", "198.18.0.2", 1)});
  EXPECT_EQ(next(), "b.example=198.18.0.2:8888/20");
  EXPECT_EQ(discovery_->backends().size(), 1U);
}

TEST_F(DiscoveryRun, FollowsAHostsAddressesOfTheServicesFamilies) {
  server_.set({dns::address("chat.example", "198.18.0.1", 1), dns::address("chat.example", "2001:db8::1", 1)});
  start("dns:Chat.example:8888", {}, {false, true});
  EXPECT_EQ(next(), "[2001:db8::1]:8888=[2001:db8::1]:8888/100");
  EXPECT_EQ(server_.asked_by_udp().count("chat.example A"), 0U);
}

TEST_F(DiscoveryRun, TheSameAnswerAgainIsNotTold) {
  server_.set({dns::address("chat.example", "198.18.0.2", 1), dns::address("chat.example", "198.18.0.1", 1)});
  start("dns:chat.example:80", {}, {true, false});
  next();
  server_.set({dns::address("chat.example", "198.18.0.1", 1), dns::address("chat.example", "198.18.0.2", 1)});
  run_looks(2);
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(DiscoveryRun, FailuresKeepTheListAndAreToldOnce) {
  const std::vector<dns::Record> records{dns::address("chat.example", "198.18.0.1", 1)};
  const std::string list = "198.18.0.1:80=198.18.0.1:80/100";
  server_.set(records);
  start("dns:chat.example:80", {}, {true, false});
  EXPECT_EQ(next(), list);
  server_.set_mood("chat.example", Mood::kServerFails);
  EXPECT_EQ(next(), "failed: A of chat.example: no server answers, or all that do fail (SERVFAIL, REFUSED)");
  EXPECT_TRUE(discovery_->status().failing);
  server_.set_mood("chat.example", Mood::kAnswers);
  EXPECT_EQ(next(), "recovered");
  EXPECT_FALSE(discovery_->status().failing);
  EXPECT_EQ(text_of(discovery_->backends()), list);

  server_.set({});
  EXPECT_EQ(next(), "failed: chat.example has no address");
  run_looks(2);
  EXPECT_EQ(text_of(discovery_->backends()), list);
  EXPECT_EQ(told_.size(), seen_) << "told once, and the list has not changed";
}

TEST_F(DiscoveryRun, AListFromBeforeOutlivesADeadServer) {
  const Backend last{*netlink::Endpoint::parse("198.18.0.9:80"), 100, "old"};
  server_.set_mood("", Mood::kSilent);
  start("dns:chat.example:80", {last}, {true, false});
  EXPECT_TRUE(next().starts_with("failed: "));
  EXPECT_EQ(discovery_->backends(), (std::vector{last}));
}

TEST_F(DiscoveryRun, StopsInTheMiddleOfALookOrOfAWait) {
  server_.set({dns::address("chat.example", "198.18.0.1", 3600)});
  server_.set_mood("", Mood::kSilent);
  start("dns:chat.example:80");
  run_looks(1);
  discovery_.reset();
  io_.run_for(seconds(30));
  EXPECT_TRUE(io_.stopped()) << "nothing is left";

  io_.restart();
  server_.set_mood("", Mood::kAnswers);
  start("dns:chat.example:80");
  next();
  discovery_.reset();
  io_.run_for(seconds(30));
  EXPECT_TRUE(io_.stopped());
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(DiscoveryRun, AnObserverMayEndIt) {
  server_.set({dns::address("chat.example", "198.18.0.1", 1)});
  Observer observer;
  observer.changed = [this](const std::vector<Backend>&, std::size_t) { discovery_.reset(); };
  discovery_.emplace(io_, *parse_source("dns:chat.example:80"), Families{true, false}, observer, std::vector<Backend>{},
                     ClientOptions{{server_.endpoint()}, milliseconds(5000), 1});
  io_.run_for(seconds(30));
  EXPECT_TRUE(io_.stopped());
  EXPECT_FALSE(discovery_);
}

TEST_F(DiscoveryRun, GoesAwayWithoutTheIoContextRunningAgain) {
  server_.set_mood("", Mood::kSilent);
  start("dns:chat.example:80");
  run_looks(1);
  discovery_.reset();
}

}  // namespace
}  // namespace wsl4::discovery
