#include "daemon/control/register_routes.h"

#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "daemon/http/server.h"
#include "tests/support/tls_bed.h"

namespace wsl4::control {
namespace {

using test::RawResponse;
namespace json = boost::json;

constexpr const char* kChatToken = "Authorization: Bearer token-for-chat-only\r\n";
constexpr const char* kAnyToken = "Authorization: Bearer token-for-everything\r\n";
constexpr const char* kPath = "/v1/services/chat/backends/erlang-4";
constexpr const char* kBody = R"({"address": "198.18.0.4:8888", "ttl": "30s"})";

/// Knows service chat, with backend erlang-1 in the file; remembers who joined, on the server's thread.
class FakeJoiner final : public Joiner {
 public:
  const Tokens& tokens() const override { return tokens_; }

  boost::asio::awaitable<Outcome<Joined>> join(std::string service, std::string backend,
                                               service::Registration registration) override {
    if (service != "chat") co_return tl::make_unexpected(no_such_service(service));
    if (backend == "erlang-1") co_return tl::make_unexpected(belongs_to_file(service, backend));
    for (const auto& [name, other] : joined) {
      if (name != backend && other.address == registration.address)
        co_return tl::make_unexpected(address_taken(service, registration.address));
    }
    const bool is_new = joined.insert_or_assign(backend, registration).second;
    co_return Joined{is_new, WallClock::time_point(std::chrono::seconds(1'795'441'260))};
  }

  boost::asio::awaitable<Outcome<void>> leave(std::string service, std::string backend) override {
    if (joined.erase(backend) == 0) co_return tl::make_unexpected(not_joined(service, backend));
    co_return Outcome<void>{};
  }

  std::map<std::string, service::Registration> joined;

 private:
  Tokens tokens_ = *Tokens::parse("token-for-chat-only chat\ntoken-for-everything *\n", "tokens");
};

class RegisterListener : public testing::Test {
 protected:
  void SetUp() override {
    const auto certificate = folder_.file("tls.crt"), key = folder_.file("tls.key");
    test::make_certificate(certificate, key);
    const auto answer = [this](const http::Request& request) { return router_.answer(request, http::Router::Access::kEverything); };
    const auto port = server_.listen_tls({*netlink::IpAddress::parse("127.0.0.1"), 0}, certificate, key, answer);
    ASSERT_TRUE(port) << port.error();
    port_ = *port;
    thread_.start();
  }
  void TearDown() override { thread_.stop(); }

  /// `headers` are whole lines.
  RawResponse ask(const std::string& method, const std::string& target, const std::string& headers, const std::string& body = "") {
    test::TlsClient client(port_);
    client.send(
        fmt::format("{} {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n{}", method, target, body.size(), headers, body));
    auto response = client.receive();
    if (!response) throw std::runtime_error("no response");
    return *response;
  }
  void expect_problem(const RawResponse& response, unsigned status, const std::string& detail) {
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    const auto document = json::parse(response.body).as_object();
    EXPECT_EQ(document.at("status"), status);
    EXPECT_NE(std::string(document.at("detail").as_string()).find(detail), std::string::npos) << response.body;
  }

  test::TemporaryFolder folder_;
  test::IoThread thread_;
  FakeJoiner joiner_;
  http::Router router_{make_register_routes(joiner_)};
  http::Server server_{thread_.io(), {}};
  std::uint16_t port_ = 0;
};

TEST_F(RegisterListener, ABackendJoinsIsRenewedAndLeaves) {
  auto response = ask("PUT", kPath, kChatToken, kBody);
  EXPECT_EQ(response.status, 201U);
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(json::parse(response.body),
            json::parse(R"({"service": "chat", "backend": "erlang-4", "expires": "2026-11-23T13:41:00Z"})"));
  EXPECT_EQ(joiner_.joined.at("erlang-4"), *service::parse_registration(kBody));

  response = ask("PUT", kPath, kAnyToken,
                 R"({"address": "198.18.0.5:80", "ttl": "1h", "weight": 7, "max_connections": 9, "public": "wss://x"})");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(joiner_.joined.at("erlang-4"),
            (service::Registration{*netlink::Endpoint::parse("198.18.0.5:80"), std::chrono::hours(1), 7, 9, "wss://x"}));

  response = ask("DELETE", kPath, kChatToken);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(json::parse(response.body), json::parse(R"({"service": "chat", "backend": "erlang-4", "drains": true})"));
  EXPECT_TRUE(joiner_.joined.empty());
  expect_problem(ask("DELETE", kPath, kChatToken), 404, "no backend 'erlang-4' has joined service 'chat'");
}

TEST_F(RegisterListener, WithoutARightTokenNothingHappens) {
  for (const char* headers : {"", "Authorization: Bearer token-for-chat-onl\r\n", "Authorization: Bearer token-for-chat-only2\r\n",
                              "Authorization: Basic token-for-chat-only\r\n", "Authorization: token-for-chat-only\r\n",
                              "Authorization: Bearer token-for-chat-only\r\nAuthorization: Bearer token-for-chat-only\r\n"}) {
    for (const char* method : {"PUT", "DELETE"}) {
      const auto response = ask(method, kPath, headers, kBody);
      expect_problem(response, 401, "a token of the balancer's token file is needed");
      EXPECT_EQ(response.header("WWW-Authenticate"), R"(Bearer realm="wsl4")");
    }
  }
  EXPECT_TRUE(joiner_.joined.empty());
}

TEST_F(RegisterListener, ATokenForOtherServicesDoesNotTellWhichThereAre) {
  const auto there = ask("PUT", "/v1/services/video/backends/a", kChatToken, kBody);
  expect_problem(there, 403, "the token is not for service 'video'");
  expect_problem(ask("DELETE", "/v1/services/nowhere/backends/a", kChatToken), 403, "the token is not for service 'nowhere'");
  expect_problem(ask("PUT", "/v1/services/nowhere/backends/a", kAnyToken, kBody), 404, "there is no service 'nowhere'");
}

TEST_F(RegisterListener, NamesAndAddressesOfOthersAreConflicts) {
  expect_problem(ask("PUT", "/v1/services/chat/backends/erlang-1", kChatToken, kBody), 409, "is one of the configuration file");
  EXPECT_EQ(ask("PUT", kPath, kChatToken, kBody).status, 201U);
  expect_problem(ask("PUT", "/v1/services/chat/backends/erlang-5", kChatToken, kBody), 409, "198.18.0.4:8888");
}

TEST_F(RegisterListener, BadBodiesNamesAndQueries) {
  for (const char* body :
       {"", "{", "[]", "{}", R"({"address": "198.18.0.4:8888"})", R"({"address": "198.18.0.4:8888", "ttl": "4s"})",
        R"({"address": "198.18.0.4:8888", "ttl": "30s", "name": "x"})", "\xff", R"({"address": "x", "ttl": "30s"})"}) {
    const auto response = ask("PUT", kPath, kChatToken, body);
    EXPECT_EQ(response.status, 422U) << body;
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
  }
  const auto two = json::parse(ask("PUT", kPath, kChatToken, "{}").body).as_object();
  EXPECT_EQ(two.at("problems").as_array().size(), 2U);
  expect_problem(ask("PUT", "/v1/services/chat/backends/Erlang", kChatToken, kBody), 422,
                 "the backend's name \"Erlang\" is not a name");
  expect_problem(ask("PUT", std::string(kPath) + "?weight=1", kChatToken, kBody), 400, "there is no parameter 'weight' here");
  expect_problem(ask("PUT", kPath, kChatToken, std::string(2'000'000, ' ')), 413, "at most");
  EXPECT_TRUE(joiner_.joined.empty());
}

TEST_F(RegisterListener, NothingElseIsServed) {
  EXPECT_EQ(ask("GET", "/healthz", "").body, "ok\n");
  expect_problem(ask("GET", kPath, kAnyToken), 405, "possible: DELETE, PUT");
  for (const char* path : {"/", "/v1/status", "/metrics", "/v1/services/chat", "/v1/services/chat/backends/"}) {
    expect_problem(ask("GET", path, kAnyToken), 404, "nothing under this path");
  }
}

TEST_F(RegisterListener, HalfABodyIsNoRegistration) {
  test::TlsClient client(port_);
  client.send(fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{}\r\n{}", kPath, kChatToken, kBody));
  client.end_sending();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(ask("GET", "/healthz", "").status, 200U);
  EXPECT_TRUE(joiner_.joined.empty());
}

TEST_F(RegisterListener, InTheClearThereIsNoAnswer) {
  test::RawClient client(port_);
  client.send(fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n{}", kPath, std::string(kBody).size(),
                          kChatToken, kBody));
  EXPECT_FALSE(client.receive());
  EXPECT_TRUE(joiner_.joined.empty());
}

}  // namespace
}  // namespace wsl4::control
