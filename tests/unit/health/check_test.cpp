#include "daemon/health/check.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>

#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/unit/health/check_bed.h"

namespace wsl4::health {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

void never_answer(Peer& peer) { peer.wait_for_end(); }

CheckResult check_http(LoopbackServer::Handler handler, std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
  LoopbackServer server(std::move(handler));
  return run_check(server.endpoint(), health_of(HealthType::kHttp, timeout));
}

CheckResult check_websocket(LoopbackServer::Handler handler) {
  LoopbackServer server(std::move(handler));
  return run_check(server.endpoint(), health_of(HealthType::kWebSocket));
}

#define EXPECT_RESULT(result, wanted, detail_matches) \
  do {                                                \
    const auto got = (result);                        \
    EXPECT_EQ(got.outcome, wanted) << got.detail;     \
    EXPECT_THAT(got.detail, detail_matches);          \
  } while (false)

TEST(Check, TcpConnects) {
  std::promise<Peer::End> end;
  LoopbackServer server([&](Peer& peer) { end.set_value(peer.wait_for_end()); });
  EXPECT_RESULT(run_check(server.endpoint(), health_of(HealthType::kTcp)), Outcome::kOk, MatchesRegex("connected in [0-9.]+ ms"));
  EXPECT_EQ(end.get_future().get(), Peer::End::kClosed);
}

TEST(Check, TcpOverIpv6) {
  LoopbackServer server(never_answer, "::1");
  EXPECT_RESULT(run_check(server.endpoint(), health_of(HealthType::kTcp)), Outcome::kOk, StartsWith("connected"));
}

TEST(Check, ABannerIsTakenBeforeClosing) {
  std::promise<Peer::End> end;
  LoopbackServer server([&](Peer& peer) {
    peer.send("220 hello\r\n");
    end.set_value(peer.wait_for_end());
  });
  EXPECT_EQ(run_check(server.endpoint(), health_of(HealthType::kTcp)).outcome, Outcome::kOk);
  EXPECT_EQ(end.get_future().get(), Peer::End::kClosed);
}

TEST(Check, ARefusedConnectionIsAConnectFailure) {
  const test::RefusingPort port;
  for (const auto type : {HealthType::kTcp, HealthType::kHttp, HealthType::kWebSocket})
    EXPECT_RESULT(run_check(port.endpoint(), health_of(type)), Outcome::kConnectFailed, "connection refused");
}

TEST(Check, AnUnansweredSynIsAConnectFailure) {
  const test::SilentPort port;
  EXPECT_RESULT(run_check(port.endpoint(), health_of(HealthType::kHttp, kShort)), Outcome::kConnectFailed,
                "no connection within 300 ms");
}

TEST(Check, HttpAsksAsConfigured) {
  std::promise<std::string> request;
  LoopbackServer server([&](Peer& peer) {
    request.set_value(peer.read_head());
    peer.send(kOk);
  });
  auto health = health_of(HealthType::kHttp);
  health.path = "/healthz?deep=1";
  health.host = "chat.example.com";
  EXPECT_RESULT(run_check(server.endpoint(), health), Outcome::kOk, MatchesRegex("200 in [0-9.]+ ms"));
  EXPECT_EQ(request.get_future().get(), "GET /healthz?deep=1 HTTP/1.1\r\nHost: chat.example.com\r\nUser-Agent: wsl4d/" WSL4_VERSION
                                        "\r\nConnection: close\r\n\r\n");
}

TEST(Check, WithoutAHostTheBackendsAddressIsNamed) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    std::promise<std::string> request;
    LoopbackServer server(
        [&](Peer& peer) {
          request.set_value(peer.read_head());
          peer.send(kOk);
        },
        address);
    EXPECT_EQ(run_check(server.endpoint(), health_of(HealthType::kHttp)).outcome, Outcome::kOk);
    EXPECT_EQ(header(request.get_future().get(), "Host"), server.endpoint().to_string());
  }
}

TEST(Check, TheStatusDecides) {
  const auto with_status = [](int status) { return answering("HTTP/1.1 " + std::to_string(status) + " X\r\n\r\n"); };
  for (const int good : {200, 204, 399})
    EXPECT_RESULT(check_http(with_status(good)), Outcome::kOk, StartsWith(std::to_string(good)));
  for (const int bad : {199, 400, 503})
    EXPECT_RESULT(check_http(with_status(bad)), Outcome::kWrongAnswer, "expected 200-399, got " + std::to_string(bad));

  auto health = health_of(HealthType::kHttp);
  health.expect_min = health.expect_max = 418;
  LoopbackServer teapot(with_status(418)), coffee(with_status(200));
  EXPECT_EQ(run_check(teapot.endpoint(), health).outcome, Outcome::kOk);
  EXPECT_RESULT(run_check(coffee.endpoint(), health), Outcome::kWrongAnswer, "expected 418, got 200");
}

TEST(Check, TheBodyIsNotJudged) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: ";
  EXPECT_EQ(check_http(answering(head + "1000000000000\r\n\r\n")).outcome, Outcome::kOk);
  EXPECT_EQ(check_http(answering(head + "10\r\n\r\nhalf")).outcome, Outcome::kOk);
  EXPECT_EQ(check_http(answering("HTTP/1.1 200 OK\r\n\r\n" + std::string(1'000'000, 'x'))).outcome, Outcome::kOk);
}

TEST(Check, BrokenAnswersAreWrong) {
  EXPECT_RESULT(check_http(answering("SSH-2.0-OpenSSH_9.2\r\n\r\n")), Outcome::kWrongAnswer, StartsWith("not HTTP: "));
  EXPECT_RESULT(check_http(answering(std::string(100, '\xff'))), Outcome::kWrongAnswer, StartsWith("not HTTP: "));
  EXPECT_RESULT(check_http(answering("HTTP/1.1 2x0 OK\r\n\r\n")), Outcome::kWrongAnswer, StartsWith("not HTTP: "));
  EXPECT_RESULT(check_http(answering("HTTP/1.1 200 OK\r\nServer: ")), Outcome::kWrongAnswer,
                "closed before the answer was complete");
  EXPECT_RESULT(check_http(answering("")), Outcome::kWrongAnswer, "closed before the answer was complete");
}

TEST(Check, HeadersAreBounded) {
  const auto of_size = [](std::size_t size) { return answering("HTTP/1.1 200 OK\r\nX: " + std::string(size, 'x') + "\r\n\r\n"); };
  EXPECT_EQ(check_http(of_size(16'000)).outcome, Outcome::kOk);
  EXPECT_RESULT(check_http(of_size(17'000)), Outcome::kWrongAnswer, "headers over 16 KiB");
  const auto endless = [](Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\n");
    for (std::size_t sent = 0; sent < (std::size_t{1} << 20); sent += 14) peer.send("X-More: some\r\n");
  };
  EXPECT_RESULT(check_http(endless), Outcome::kWrongAnswer, "headers over 16 KiB");
}

TEST(Check, WhatHasNotComeByTheDeadlineIsWrong) {
  constexpr const char* kLate = "no answer within 300 ms";
  EXPECT_RESULT(check_http(never_answer, kShort), Outcome::kWrongAnswer, kLate);
  const auto half = [](Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\n");
    peer.wait_for_end();
  };
  EXPECT_RESULT(check_http(half, kShort), Outcome::kWrongAnswer, kLate);
  LoopbackServer silent(never_answer);
  EXPECT_RESULT(run_check(silent.endpoint(), health_of(HealthType::kWebSocket, kShort)), Outcome::kWrongAnswer, kLate);
}

TEST(Check, AnAnswerByteByByteMeetsTheOneDeadline) {
  LoopbackServer server([](Peer& peer) {
    peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\nX: ");
    while (!peer.ends_within(std::chrono::milliseconds(20))) peer.send("x");
  });
  EXPECT_RESULT(run_check(server.endpoint(), health_of(HealthType::kHttp, kShort)), Outcome::kWrongAnswer,
                "no answer within 300 ms");
}

TEST(Check, WebSocketShakesHandsAndClosesCleanly) {
  std::promise<std::string> request, frame;
  std::promise<Peer::End> end;
  LoopbackServer server([&](Peer& peer) {
    const auto head = peer.read_head();
    request.set_value(head);
    peer.send(upgrade_answer(head));
    std::string close;
    while (close.size() < kCloseFrame.size()) close += peer.read_some();
    frame.set_value(close);
    peer.send("\x88\x02\x03\xe8");
    peer.end_sending();
    end.set_value(peer.wait_for_end());
  });
  auto health = health_of(HealthType::kWebSocket);
  health.path = "/ws";
  EXPECT_RESULT(run_check(server.endpoint(), health), Outcome::kOk, MatchesRegex("101 in [0-9.]+ ms"));
  const auto head = request.get_future().get();
  EXPECT_THAT(head, StartsWith("GET /ws HTTP/1.1\r\n"));
  EXPECT_EQ(header(head, "Upgrade"), "websocket");
  EXPECT_EQ(header(head, "Connection"), "Upgrade");
  EXPECT_EQ(header(head, "Sec-WebSocket-Version"), "13");
  EXPECT_EQ(header(head, "Sec-WebSocket-Key").size(), 24U);
  EXPECT_EQ(frame.get_future().get(), std::string(kCloseFrame.begin(), kCloseFrame.end()));
  EXPECT_EQ(end.get_future().get(), Peer::End::kClosed);
}

TEST(Check, WebSocketAnswersMustBeRight) {
  EXPECT_RESULT(check_websocket(answering(kOk)), Outcome::kWrongAnswer, "expected 101, got 200");
  EXPECT_RESULT(check_websocket(answering("HTTP/1.1 404 Not Found\r\n\r\n")), Outcome::kWrongAnswer, "expected 101, got 404");
  EXPECT_RESULT(check_websocket(answering("HTTP/1.1 101 X\r\n\r\n")), Outcome::kWrongAnswer, "101 with no Upgrade: websocket");
  const auto fixed = answering(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  EXPECT_RESULT(check_websocket(fixed), Outcome::kWrongAnswer, "101 with wrong Sec-WebSocket-Accept");
}

TEST(Check, AnotherStatusMayBeExpectedOfAWebSocket) {
  auto health = health_of(HealthType::kWebSocket);
  health.expect_min = 101;
  health.expect_max = 403;
  LoopbackServer forbids(answering("HTTP/1.1 403 Forbidden\r\n\r\n"));
  EXPECT_EQ(run_check(forbids.endpoint(), health).outcome, Outcome::kOk);
}

/// The client's socket as it is during a check from `source`.
struct Seen {
  netlink::Endpoint from;
  bool closes_on_exec = false, port_at_connect = false;
};

Seen see_client(const std::string& backend, const std::string& source) {
  std::promise<Seen> seen;
  LoopbackServer server(
      [&](Peer& peer) {
        peer.read_head();
        const int client = test::descriptor_of(peer.from());
        int no_port = 0;
        socklen_t size = sizeof no_port;
        ::getsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &no_port, &size);
        seen.set_value({peer.from(), (::fcntl(client, F_GETFD) & FD_CLOEXEC) != 0, no_port != 0});
        peer.send(kOk);
      },
      backend);
  const auto result = run_check(server.endpoint(), health_of(HealthType::kHttp), *netlink::IpAddress::parse(source));
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  return seen.get_future().get();
}

TEST(Check, ComesFromItsSourceAddress) {
  for (const auto& [backend, source] : {std::pair("127.0.0.1", "127.0.0.7"), std::pair("::1", "::1")}) {
    const auto seen = see_client(backend, source);
    EXPECT_EQ(seen.from.address.to_string(), source);
    EXPECT_TRUE(seen.closes_on_exec);
    EXPECT_TRUE(seen.port_at_connect);
  }
}

TEST(Check, ASourceThatCannotBeBoundIsNoVerdict) {
  LoopbackServer server(never_answer);
  EXPECT_RESULT(run_check(server.endpoint(), health_of(HealthType::kTcp), *netlink::IpAddress::parse("198.18.7.7")),
                Outcome::kNoVerdict, "bind 198.18.7.7: cannot assign requested address");
  EXPECT_EQ(server.connections(), 0U);
}

TEST(Check, LeavesNoDescriptor) {
  const test::RefusingPort refusing;
  LoopbackServer server(answering(kOk)), silent(never_answer);
  const auto count = [&] {
    run_check(server.endpoint(), health_of(HealthType::kHttp));
    run_check(silent.endpoint(), health_of(HealthType::kHttp, std::chrono::milliseconds(10)));
    run_check(refusing.endpoint(), health_of(HealthType::kTcp));
    run_check(server.endpoint(), health_of(HealthType::kTcp), *netlink::IpAddress::parse("198.18.7.7"));
  };
  count();
  const auto before = test::descriptors();
  for (int i = 0; i < 5; ++i) count();
  EXPECT_TRUE(test::eventually([&] { return test::descriptors() <= before; }));  // the servers' ends go on their own threads
}

TEST(Check, ACancelledCheckEnds) {
  boost::asio::io_context io;
  std::shared_ptr<Check> check;
  LoopbackServer server([&](Peer& peer) {
    peer.read_head();
    boost::asio::post(io, [&] { check->cancel(); });
    peer.wait_for_end();
  });
  check =
      std::make_shared<Check>(io, CheckSpec{server.endpoint(), {}, health_of(HealthType::kHttp, std::chrono::hours(1))}, nullptr);
  bool ended = false;
  boost::asio::co_spawn(io, run_to_end(check), [&](const std::exception_ptr& failure, const CheckResult&) { ended = !failure; });
  io.run();
  EXPECT_TRUE(ended);
}

TEST(Check, OneThatIsCancelledBeforeItStartsDoesNotConnect) {
  boost::asio::io_context io;
  LoopbackServer server(never_answer);
  const auto check = std::make_shared<Check>(io, CheckSpec{server.endpoint(), {}, health_of(HealthType::kTcp)}, nullptr);
  check->cancel();
  CheckResult result{Outcome::kOk, ""};
  boost::asio::co_spawn(io, run_to_end(check), [&](const std::exception_ptr&, const CheckResult& got) { result = got; });
  io.run();
  EXPECT_EQ(result.outcome, Outcome::kNoVerdict);
  EXPECT_EQ(server.connections(), 0U);
}

}  // namespace
}  // namespace wsl4::health
