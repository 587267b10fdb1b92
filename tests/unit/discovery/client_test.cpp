#include "daemon/discovery/client.h"

#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tests/support/dns_server.h"

namespace wsl4::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DnsServer;
using Mood = DnsServer::Mood;
namespace dns = test::dns;

class DnsClient : public testing::Test {
 protected:
  void start(ClientOptions options) {
    auto client = Client::open(io_, options);
    ASSERT_TRUE(client) << client.error();
    client_ = std::move(*client);
  }
  void start() { start({{server_.endpoint()}, milliseconds(5000), 2}); }
  /// With so little patience that silence is soon told from an answer.
  void start_impatient() { start({{server_.endpoint()}, milliseconds(20), 2}); }

  std::vector<Reply> ask(std::vector<Question> questions) {
    std::optional<std::vector<Reply>> replies;
    boost::asio::co_spawn(io_, keep(std::move(questions), replies), boost::asio::detached);
    io_.restart();
    while (!replies) {
      if (io_.run_one_for(seconds(30)) == 0) ADD_FAILURE() << "the client waits for ever";
    }
    return *replies;
  }
  Reply ask(const std::string& name, RecordType type) { return ask({{name, type}}).at(0); }

  boost::asio::awaitable<void> keep(std::vector<Question> questions, std::optional<std::vector<Reply>>& replies) {
    auto asking = client_->ask(std::move(questions));
    replies = co_await std::move(asking);
  }

  DnsServer server_;
  boost::asio::io_context io_;
  std::shared_ptr<Client> client_;
};

TEST_F(DnsClient, AddressesAndServices) {
  const SrvRecord service{1, 2, 3, "a.example"};
  server_.set({dns::address("a.example", "198.18.0.1", 60), dns::address("a.example", "2001:db8::1", 50),
               dns::service("_ws._tcp.example", service, 40)});
  start();
  const auto replies =
      ask({{"a.example", RecordType::kA}, {"a.example", RecordType::kAaaa}, {"_ws._tcp.example", RecordType::kSrv}});
  EXPECT_EQ(replies.at(0), (Answer{{*netlink::IpAddress::parse("198.18.0.1")}, {}, seconds(60)}));
  EXPECT_EQ(replies.at(1), (Answer{{*netlink::IpAddress::parse("2001:db8::1")}, {}, seconds(50)}));
  EXPECT_EQ(replies.at(2), (Answer{{}, {service}, seconds(40)}));
  EXPECT_TRUE(server_.asked_by_tcp().empty());
}

TEST_F(DnsClient, NoSuchNameAndNoSuchRecordsAreEmptyAnswers) {
  server_.set({dns::address("a.example", "198.18.0.1", 60)});
  start();
  EXPECT_EQ(ask("a.example", RecordType::kAaaa), Answer{});
  EXPECT_EQ(ask("b.example", RecordType::kA), Answer{});
}

TEST_F(DnsClient, TruncatedAnswersComeByTcp) {
  server_.set({dns::address("a.example", "198.18.0.1", 60)});
  server_.set_mood("a.example", Mood::kTruncates);
  start();
  const auto reply = ask("a.example", RecordType::kA);
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply->addresses.size(), 1U);
  EXPECT_EQ(server_.asked_by_tcp().count("a.example A"), 1U);
}

TEST_F(DnsClient, LargeAnswersComeWhole) {
  std::vector<dns::Record> records;
  for (std::uint16_t i = 0; i < 1000; ++i)
    records.push_back(dns::service("_ws._tcp.example", {1, 1, i, fmt::format("h{}.example", i)}, 9));
  server_.set(records);
  start();
  const auto reply = ask("_ws._tcp.example", RecordType::kSrv);
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply->services.size(), 1000U);
}

TEST_F(DnsClient, ManyQuestionsAtOnceEachGetTheirOwnAnswer) {
  std::vector<dns::Record> records;
  std::vector<Question> questions;
  for (int i = 0; i < 500; ++i) {
    const auto host = fmt::format("h{}.example", i);
    records.push_back(dns::address(host, fmt::format("198.18.{}.{}", i / 250, i % 250), 60));
    questions.push_back({host, RecordType::kA});
  }
  server_.set(records);
  start();
  const auto replies = ask(questions);
  ASSERT_EQ(replies.size(), questions.size());
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(replies[static_cast<std::size_t>(i)]) << i;
    EXPECT_EQ(replies[static_cast<std::size_t>(i)]->addresses.at(0).to_string(), fmt::format("198.18.{}.{}", i / 250, i % 250));
  }
}

TEST_F(DnsClient, FailuresAreErrorsAndTheNextAnswerIsGood) {
  server_.set({dns::address("a.example", "198.18.0.1", 60)});
  start_impatient();
  for (const auto mood : {Mood::kServerFails, Mood::kSilent, Mood::kGarbage, Mood::kScribbles}) {
    server_.set_mood("a.example", mood);
    const auto reply = ask("a.example", RecordType::kA);
    ASSERT_FALSE(reply) << static_cast<int>(mood);
    EXPECT_NE(reply.error(), "");
  }
  start();
  server_.set_mood("a.example", Mood::kAnswers);
  EXPECT_TRUE(ask("a.example", RecordType::kA));
}

TEST_F(DnsClient, OneSilentNameDoesNotKeepOthersFromTheirAnswers) {
  server_.set({dns::address("a.example", "198.18.0.1", 60)});
  server_.set_mood("b.example", Mood::kSilent);
  start({{server_.endpoint()}, milliseconds(100), 2});
  const auto replies = ask({{"b.example", RecordType::kA}, {"a.example", RecordType::kA}});
  EXPECT_FALSE(replies.at(0));
  EXPECT_TRUE(replies.at(1));
}

TEST_F(DnsClient, ASecondServerAnswersForTheFirst) {
  server_.set({dns::address("a.example", "198.18.0.1", 60)});
  for (const auto mood : {Mood::kSilent, Mood::kServerFails}) {
    DnsServer other;
    other.set_mood("", mood);
    start({{other.endpoint(), server_.endpoint()}, milliseconds(50), 5});
    EXPECT_TRUE(ask("a.example", RecordType::kA));
    EXPECT_EQ(other.asked_by_udp().count("a.example A"), 1U);
  }
}

TEST_F(DnsClient, NamesThatDnsCannotHaveAreErrors) {
  start();
  std::vector<Question> questions(100, {"a..example", RecordType::kA});
  questions.push_back({std::string(64, 'a') + ".example", RecordType::kA});
  for (const auto& reply : ask(questions)) EXPECT_FALSE(reply);
}

TEST_F(DnsClient, ClosedItAnswersWithErrorsAtOnce) {
  server_.set_mood("", Mood::kSilent);
  start();
  std::optional<std::vector<Reply>> replies;
  boost::asio::co_spawn(io_, keep(std::vector<Question>(100, {"a.example", RecordType::kA}), replies), boost::asio::detached);
  while (server_.asked_by_udp().size() < kMaxInFlight) io_.run_one_for(milliseconds(10));
  client_->close();
  while (!replies) ASSERT_GT(io_.run_one_for(seconds(30)), 0U);
  EXPECT_EQ(replies->size(), 100U);
  for (const auto& reply : *replies) EXPECT_FALSE(reply);
  EXPECT_FALSE(ask("a.example", RecordType::kA));
}

TEST_F(DnsClient, GoesAwayWithTheIoContextInTheMiddle) {
  server_.set_mood("", Mood::kSilent);
  std::optional<std::vector<Reply>> replies;
  {
    boost::asio::io_context io;
    auto client = Client::open(io, {{server_.endpoint()}, milliseconds(5000), 2});
    ASSERT_TRUE(client);
    client_ = std::move(*client);
    boost::asio::co_spawn(io, keep({{"a.example", RecordType::kA}}, replies), boost::asio::detached);
    while (server_.asked_by_udp().empty()) io.run_one_for(milliseconds(10));
    client_.reset();
  }
  EXPECT_FALSE(replies);
}

TEST_F(DnsClient, WithoutServersThoseOfTheMachineAreTaken) {
  start(ClientOptions{});
  EXPECT_NE(client_, nullptr);
}

}  // namespace
}  // namespace wsl4::discovery
