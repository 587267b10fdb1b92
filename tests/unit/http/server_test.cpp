#include "daemon/http/server.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <future>
#include <optional>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>

#include "tests/support/http_bed.h"

namespace wsl4::http {
namespace {

using test::kGet;
using test::RawClient;
using test::RawResponse;

boost::asio::awaitable<Response> echo(const Request& request) {
  if (request.method == "BOOM") throw std::runtime_error("the handler broke");
  Response response;
  response.content_type = "text/plain";
  response.body = request.method + " " + (request.target.path.empty() ? "/" : request.target.path.front()) + " " + request.body;
  co_return response;
}

class HttpServer : public testing::Test {
 protected:
  void start(Limits limits = {}, Answer answer = echo) {
    server_.emplace(thread_.io(), limits);
    const auto bound = server_->listen_unix(path_, std::move(answer));
    ASSERT_TRUE(bound) << bound.error();
    thread_.start();
  }
  void TearDown() override {
    thread_.stop();
    server_.reset();
  }
  std::optional<RawResponse> answer_to(const std::string& bytes) {
    RawClient client(path_);
    client.send(bytes);
    return client.receive();
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.file("s.sock");
  test::IoThread thread_;
  std::optional<Server> server_;
};

TEST_F(HttpServer, AnswersManyRequestsOnOneConnection) {
  start();
  RawClient client(path_);
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200U);
    EXPECT_EQ(response->body, "GET x ");
    EXPECT_EQ(response->header("Content-Type"), "text/plain");
    EXPECT_EQ(response->header("Connection"), "");
  }
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient client(path_);
  client.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive()->body, "POST 1 abc");
  EXPECT_EQ(client.receive()->body, "GET 2 ");
}

TEST_F(HttpServer, ClosesWhenTheClientAsksForItOrSpeaksHttp10) {
  start();
  for (const char* bytes : {"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /x HTTP/1.0\r\n\r\n"}) {
    RawClient client(path_);
    client.send(bytes);
    EXPECT_EQ(client.receive()->status, 200U);
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(HttpServer, AnswersHeadWithoutBody) {
  start();
  RawClient client(path_);
  client.send("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto head = client.receive(true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->header("Content-Length"), "7");
  client.send(kGet);
  EXPECT_EQ(client.receive()->body, "GET x ");
}

TEST_F(HttpServer, TakesChunkedBodiesAndExpectations) {
  start();
  EXPECT_EQ(answer_to("PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")->body,
            "PUT x abcde");
  RawClient client(path_);
  client.send("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive()->status, 100U);
  client.send("abc");
  EXPECT_EQ(client.receive()->body, "PUT x abc");
}

TEST_F(HttpServer, RefusesBodiesOverOneMebibyte) {
  start();
  const std::string most(1024 * 1024, 'a');
  EXPECT_EQ(test::request(path_, "PUT", "/x", most).status, 200U);
  EXPECT_EQ(test::request(path_, "PUT", "/x", most + "a").status, 413U);

  RawClient client(path_);
  client.send("PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n" + most + "a\r\n0\r\n\r\n");
  const auto response = client.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 413U);
  EXPECT_EQ(response->header("Content-Type"), "application/problem+json");
}

TEST_F(HttpServer, RefusesHeadersOver16Kibibytes) {
  start();
  const auto with_header_of = [](std::size_t size) { return "X-Long: " + std::string(size, 'a') + "\r\n"; };
  EXPECT_EQ(test::request(path_, "GET", "/x", "", with_header_of(16'000)).status, 200U);
  EXPECT_EQ(test::request(path_, "GET", "/x", "", with_header_of(16 * 1024)).status, 431U);
  EXPECT_EQ(test::request(path_, "GET", "/" + std::string(20'000, 'a')).status, 431U);
  EXPECT_EQ(test::request(path_, "GET", "/x", "", with_header_of(1'000'000)).status, 431U);
}

TEST_F(HttpServer, AnswersBrokenRequestsWithAProblemAndCloses) {
  start();
  for (const char* bytes :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /x\r\n\r\n", "GET /x HTTP/2.0\r\n\r\n", "GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "\x16\x03\x01\x02 tls \r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"}) {
    RawClient client(path_);
    client.send(bytes);
    const auto response = client.receive();
    ASSERT_TRUE(response) << bytes;
    EXPECT_EQ(response->status, 400U) << bytes;
    const auto document = boost::json::parse(response->body).as_object();
    EXPECT_EQ(document.at("type"), "about:blank");
    EXPECT_EQ(document.at("title"), "Bad request");
    EXPECT_EQ(document.at("status"), 400);
    EXPECT_TRUE(client.closed()) << bytes;
  }
}

TEST_F(HttpServer, ABadTargetOrAMissingHostIsAnsweredAndTheConnectionGoesOn) {
  start();
  RawClient client(path_);
  for (const char* bytes : {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n",
                            "GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"}) {
    client.send(bytes);
    EXPECT_EQ(client.receive()->status, 400U) << bytes;
  }
  client.send(kGet);
  EXPECT_EQ(client.receive()->status, 200U);
}

TEST_F(HttpServer, AnExceptionIsA500) {
  start();
  EXPECT_EQ(test::request(path_, "BOOM", "/").status, 500U);
  EXPECT_EQ(test::request(path_, "GET", "/").status, 200U);
}

TEST_F(HttpServer, RefusesMoreThan64ConnectionsAndServesAgainWhenOneEnds) {
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back(path_);
    clients.back().send(kGet);
    ASSERT_EQ(clients.back().receive()->status, 200U);
  }
  RawClient refused(path_);
  refused.send(kGet);
  const auto response = refused.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503U);
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(refused.closed());

  clients.pop_back();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  unsigned status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < deadline) status = test::request(path_, "GET", "/x").status;
  EXPECT_EQ(status, 200U);
}

TEST_F(HttpServer, HalfRequestsDoNotHoldASlotForEver) {
  Limits limits;
  limits.max_connections = 1;
  limits.read_timeout = std::chrono::milliseconds(50);
  limits.idle_timeout = std::chrono::milliseconds(50);
  start(limits);
  for (const char* half :
       {"", "GET /x HT", "GET /x HTTP/1.1\r\nHost: x\r\n", "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"}) {
    RawClient client(path_);
    client.send(half);
    EXPECT_TRUE(client.closed()) << half;
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  unsigned status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < deadline) status = test::request(path_, "GET", "/x").status;
  EXPECT_EQ(status, 200U);
}

TEST_F(HttpServer, AClientThatGoesAwayHalfWayIsForgotten) {
  start();
  for (const char* half : {"", "GET /x HT", "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"}) {
    RawClient client(path_);
    client.send(half);
    client.end_sending();
    EXPECT_TRUE(client.closed()) << half;
  }
  EXPECT_EQ(test::request(path_, "GET", "/x").status, 200U);
}

/// Answers when the test says so.
struct Gate {
  std::optional<boost::asio::steady_timer> timer;
  std::promise<void> reached;
};

boost::asio::awaitable<Response> wait_at(Gate& gate) {
  gate.reached.set_value();
  boost::system::error_code ignored;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ignored);
  co_await gate.timer->async_wait(token);
  Response response;
  response.body = "late";
  co_return response;
}

TEST_F(HttpServer, StopLetsRequestsInProgressEndAndClosesIdleConnections) {
  Gate gate;
  gate.timer.emplace(thread_.io(), std::chrono::hours(1));
  start({}, [&gate](const Request& request) { return request.method == "GET" ? echo(request) : wait_at(gate); });

  RawClient idle(path_);
  idle.send(kGet);
  ASSERT_EQ(idle.receive()->status, 200U);
  RawClient busy(path_);
  busy.send("POST /x HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.reached.get_future().wait();

  thread_.run([this] { server_->stop(); });
  EXPECT_TRUE(idle.closed());
  EXPECT_THROW(RawClient{path_}, std::runtime_error);
  struct stat status {};
  EXPECT_NE(::stat(path_.c_str(), &status), 0);

  const auto is_busy = [this] {
    bool answer = false;
    thread_.run([&] { answer = server_->busy(); });
    return answer;
  };
  EXPECT_TRUE(is_busy());
  thread_.run([&gate] { gate.timer->cancel(); });
  const auto response = busy.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "late");
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(busy.closed());
}

TEST_F(HttpServer, NoRequestInProgressMakesRoomForANewcomer) {
  Gate gate;
  gate.timer.emplace(thread_.io(), std::chrono::hours(1));
  Limits limits;
  limits.max_connections = 2;
  limits.make_room = true;
  start(limits, [&gate](const Request& request) { return request.method == "GET" ? echo(request) : wait_at(gate); });
  RawClient busy(path_);
  busy.send("POST /x HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.reached.get_future().wait();
  RawClient half(path_);
  half.send("GET /x HT");
  RawClient answered(path_);
  answered.send(kGet);
  EXPECT_EQ(answered.receive()->status, 200U);
  EXPECT_TRUE(half.closed());
  EXPECT_EQ(test::request(path_, "GET", "/x").status, 200U);
  EXPECT_TRUE(answered.closed());
  thread_.run([&gate] { gate.timer->cancel(); });
  EXPECT_EQ(busy.receive()->body, "late");
}

TEST_F(HttpServer, ServesTcpToo) {
  server_.emplace(thread_.io(), Limits{});
  netlink::Endpoint endpoint{*netlink::IpAddress::parse("127.0.0.1"), 0};
  const auto bound = server_->listen_tcp(endpoint, echo);
  ASSERT_TRUE(bound) << bound.error();
  thread_.start();
  RawClient client(*bound);
  client.send(kGet);
  EXPECT_EQ(client.receive()->body, "GET x ");

  Server second(thread_.io(), Limits{});
  endpoint.port = *bound;
  const auto taken = second.listen_tcp(endpoint, echo);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().find("Address already in use"), std::string::npos) << taken.error();
}

TEST_F(HttpServer, WaitsForAnAddressThatIsNotThereYet) {
  Server server(thread_.io(), Limits{});
  for (const auto* address : {"198.18.77.77", "2001:db8:77::77"}) {
    const auto bound = server.listen_tcp({*netlink::IpAddress::parse(address), 0}, echo);
    EXPECT_TRUE(bound) << bound.error();
  }
}

}  // namespace
}  // namespace wsl4::http
