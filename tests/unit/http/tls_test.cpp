#include "daemon/http/tls.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/http/server.h"
#include "tests/support/tls_bed.h"

namespace wsl4::http {
namespace {

using test::HandshakeFailed;
using test::kGet;
using test::RawClient;
using test::TlsClient;

// The first bytes of a TLS handshake: a record of 512 bytes is to come, which holds a ClientHello.
const std::string kHalfHello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);

boost::asio::awaitable<Response> echo_authorization(const Request& request) {
  Response response;
  response.body = request.method + " " + request.authorization + " " + request.body;
  co_return response;
}

class TlsServer : public testing::Test {
 protected:
  void start(Limits limits = {}) {
    test::make_certificate(certificate_, key_);
    server_.emplace(thread_.io(), limits);
    const auto port = server_->listen_tls({*netlink::IpAddress::parse("127.0.0.1"), 0}, certificate_, key_, echo_authorization);
    ASSERT_TRUE(port) << port.error();
    port_ = *port;
    thread_.start();
  }
  void TearDown() override {
    thread_.stop();
    server_.reset();
  }
  unsigned status_of_a_request() {
    TlsClient client(port_);
    client.send("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto response = client.receive();
    return response ? response->status : 0;
  }
  std::string listen_error(const std::string& certificate, const std::string& key) {
    Server server(thread_.io(), {});
    const auto port = server.listen_tls({*netlink::IpAddress::parse("127.0.0.1"), 0}, certificate, key, echo_authorization);
    return port ? "" : port.error();
  }

  test::TemporaryFolder folder_;
  std::string certificate_ = folder_.file("tls.crt"), key_ = folder_.file("tls.key");
  test::IoThread thread_;
  std::optional<Server> server_;
  std::uint16_t port_ = 0;
};

TEST_F(TlsServer, AnswersManyRequestsOnOneConnection) {
  start();
  TlsClient client(port_);
  EXPECT_EQ(client.version(), "TLSv1.3");
  for (int i = 0; i < 3; ++i) {
    client.send("PUT /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer b\r\nContent-Length: 3\r\n\r\nabc");
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200U);
    EXPECT_EQ(response->body, "PUT Bearer b abc");
  }
}

TEST_F(TlsServer, TwoAuthorizationsAreNone) {
  start();
  TlsClient client(port_);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer b\r\nAuthorization: Bearer c\r\n\r\n");
  EXPECT_EQ(client.receive()->body, "GET  ");
}

TEST_F(TlsServer, SpeaksTls12AndNothingOlder) {
  start();
  TlsClient client(port_, TLS1_2_VERSION);
  EXPECT_EQ(client.version(), "TLSv1.2");
  client.send(kGet);
  EXPECT_EQ(client.receive()->status, 200U);
  EXPECT_THROW(TlsClient(port_, TLS1_1_VERSION), HandshakeFailed);
  EXPECT_THROW(TlsClient(port_, TLS1_VERSION), HandshakeFailed);
  EXPECT_EQ(status_of_a_request(), 200U);
}

TEST_F(TlsServer, EndsWithCloseNotify) {
  start();
  TlsClient client(port_);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.receive()->status, 200U);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(client.was_told_the_end());
}

TEST_F(TlsServer, WhatIsNotTlsGetsNoAnswer) {
  start();
  for (const std::string& bytes : {std::string(kGet), std::string(100'000, '\xff'), std::string("\0\0\0\0\0\0\0\0", 8),
                                   "\x16\x03\x01\xff\xff" + std::string(70'000, 'a'), kHalfHello + std::string(600, 'a')}) {
    RawClient client(port_);
    client.send(bytes);
    EXPECT_FALSE(client.receive()) << bytes.substr(0, 20);  // an alert at most
  }
  EXPECT_EQ(status_of_a_request(), 200U);
}

TEST_F(TlsServer, BrokenAndHalfRequestsAndClientsThatGo) {
  start();
  {
    TlsClient client(port_);
    client.send("no request\r\n\r\n");
    EXPECT_EQ(client.receive()->status, 400U);
    EXPECT_TRUE(client.closed());
  }
  for (const std::string half : {"", "GET /x HT", "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"}) {
    TlsClient client(port_);
    client.send(half);
    client.end_sending();  // without close_notify
    EXPECT_TRUE(client.closed()) << half;
  }
  EXPECT_EQ(status_of_a_request(), 200U);
}

TEST_F(TlsServer, RefusesLargeHeadersAndBodiesAndTheAnswerArrives) {
  start();
  for (const auto& [bytes, status] :
       {std::pair{"GET /x HTTP/1.1\r\nHost: x\r\nX: " + std::string(1'000'000, 'a') + "\r\n\r\n", 431U},
        {"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + std::string(2'000'000, 'a'), 413U}}) {
    TlsClient client(port_);
    client.send(bytes);
    const auto response = client.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, status);
  }
}

TEST_F(TlsServer, HalfHandshakesCountAsConnections) {
  start();
  std::vector<RawClient> half;
  for (int i = 0; i < 64; ++i) {
    half.emplace_back(port_);
    half.back().send(i % 2 == 0 ? kHalfHello : "");
  }
  EXPECT_EQ(status_of_a_request(), 503U);
  half.pop_back();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  unsigned status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < deadline) status = status_of_a_request();
  EXPECT_EQ(status, 200U);
}

TEST_F(TlsServer, WhoHasBeenSilentLongestMakesRoom) {
  Limits limits;
  limits.max_connections = 4;
  limits.make_room = true;
  start(limits);
  std::vector<RawClient> silent;
  for (int i = 0; i < 16; ++i) {
    silent.emplace_back(port_);
    silent.back().send(i % 2 == 0 ? kHalfHello : "");
  }
  EXPECT_EQ(status_of_a_request(), 200U);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_TRUE(silent[i].closed()) << i;
  silent.back().send(kHalfHello + std::string(600, 'a'));
  EXPECT_FALSE(silent.back().receive()) << "the last ones are waited for still, and get an alert";
}

TEST_F(TlsServer, AHostWithManyConnectionsKeepsNobodyElseOut) {
  Limits limits;
  limits.max_connections = 4;
  limits.make_room = true;
  start(limits);
  RawClient other(port_, 2);
  std::vector<RawClient> silent;
  for (int i = 0; i < 16; ++i) silent.emplace_back(port_);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_TRUE(silent[i].closed()) << i;
  other.send(kHalfHello + std::string(600, 'a'));
  EXPECT_FALSE(other.receive()) << "the first one of all is waited for still, and gets an alert";
}

TEST_F(TlsServer, TwiceAsManyAreNotEvenAnswered) {
  Limits limits;
  limits.max_connections = 2;
  start(limits);
  std::vector<RawClient> half;
  for (int i = 0; i < 4; ++i) {
    half.emplace_back(port_);
    half.back().send(kHalfHello);
  }
  EXPECT_THROW(TlsClient{port_}, HandshakeFailed);
}

TEST_F(TlsServer, AHandshakeHasADeadline) {
  Limits limits;
  limits.max_connections = 1;
  limits.handshake_timeout = std::chrono::milliseconds(50);
  start(limits);
  for (const std::string& bytes : {std::string(), kHalfHello}) {
    RawClient client(port_);
    client.send(bytes);
    EXPECT_TRUE(client.closed());
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  unsigned status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < deadline) status = status_of_a_request();
  EXPECT_EQ(status, 200U);
}

TEST_F(TlsServer, StopEndsHandshakesAndIdleConnections) {
  start();
  RawClient half(port_);
  half.send(kHalfHello);
  TlsClient idle(port_);
  idle.send(kGet);
  ASSERT_EQ(idle.receive()->status, 200U);  // by then the one before has been accepted
  thread_.run([this] { server_->stop(); });
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(half.closed());
}

TEST_F(TlsServer, ErrorsNameTheFile) {
  test::make_certificate(certificate_, key_);
  const std::string nowhere = folder_.file("nowhere"), broken = folder_.file("broken"), other = folder_.file("other.key");
  std::ofstream(broken) << "-----BEGIN CERTIFICATE-----\nnonsense\n";
  test::make_certificate(folder_.file("other.crt"), other);
  EXPECT_EQ(listen_error(certificate_, key_), "");
  EXPECT_EQ(listen_error(nowhere, key_), fmt::format("control.register: cannot open {}: No such file or directory", nowhere));
  EXPECT_EQ(listen_error(certificate_, nowhere),
            fmt::format("control.register: cannot open {}: No such file or directory", nowhere));
  EXPECT_TRUE(listen_error(broken, key_).starts_with(fmt::format("control.register: {} is not a PEM certificate: ", broken)));
  EXPECT_TRUE(listen_error(key_, key_).starts_with(fmt::format("control.register: {} is not a PEM certificate: ", key_)));
  EXPECT_NE(listen_error(certificate_, broken).find(broken + " is not a PEM key"), std::string::npos);
  EXPECT_NE(listen_error(certificate_, other).find("belongs to " + certificate_), std::string::npos);
}

TEST_F(TlsServer, AnAddressInUseIsAnError) {
  start();
  Server second(thread_.io(), {});
  const auto port = second.listen_tls({*netlink::IpAddress::parse("127.0.0.1"), port_}, certificate_, key_, echo_authorization);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error(), fmt::format("control.register 127.0.0.1:{}: Address already in use", port_));
}

}  // namespace
}  // namespace wsl4::http
