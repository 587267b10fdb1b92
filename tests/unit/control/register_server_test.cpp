#include "daemon/control/register_server.h"

#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "tests/support/tls_bed.h"

namespace wsl4::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Nobody joins here.
class NoJoiner final : public Joiner {
 public:
  const Tokens& tokens() const override { return tokens_; }
  boost::asio::awaitable<Outcome<Joined>> join(std::string service, std::string, service::Registration) override {
    co_return tl::make_unexpected(no_such_service(service));
  }
  boost::asio::awaitable<Outcome<void>> leave(std::string service, std::string backend) override {
    co_return tl::make_unexpected(not_joined(service, backend));
  }

 private:
  Tokens tokens_;
};

class RegisterServerRun : public testing::Test {
 protected:
  void SetUp() override {
    config_.control.token_file = folder_.file("tokens");
    config_.control.tls_certificate = folder_.file("tls.crt");
    config_.control.tls_key = folder_.file("tls.key");
    config_.control.register_listen = netlink::Endpoint{*netlink::IpAddress::parse("127.0.0.1"), free_port()};
    test::make_certificate(config_.control.tls_certificate, config_.control.tls_key);
    write_tokens("a-token-of-16-chars chat\n");
  }
  void TearDown() override { thread_.stop(); }

  void write_tokens(const std::string& text) {
    std::ofstream(config_.control.token_file) << text;
    ::chmod(config_.control.token_file.c_str(), 0600);
  }
  std::uint16_t free_port() {
    boost::asio::io_context at_rest;
    http::Server server(at_rest, {});
    return *server.listen_tcp({*netlink::IpAddress::parse("127.0.0.1"), 0}, {});
  }
  std::vector<std::string> inspected() {
    std::vector<std::string> all;
    for (const auto& finding : inspect_register(config_)) all.push_back(finding.path.to_string() + ": " + finding.what);
    return all;
  }
  void go_over() {
    thread_.run([this] {
      auto next = server_.prepare(config_.control);
      ASSERT_TRUE(next) << next.error().front();
      server_.go_over(std::move(*next));
    });
  }
  unsigned healthz(const netlink::Endpoint& endpoint) {
    test::TlsClient client(endpoint.port);
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    return client.receive()->status;
  }

  test::TemporaryFolder folder_;
  config::Config config_;
  test::IoThread thread_;
  NoJoiner joiner_;
  RegisterServer server_{thread_.io(), joiner_};
};

TEST_F(RegisterServerRun, FilesThatDoAreNoFindings) {
  EXPECT_THAT(inspected(), ElementsAre());
  config_.control.register_listen.reset();
  config_.control.token_file = "/nowhere";
  EXPECT_THAT(inspected(), ElementsAre()) << "without a listener nobody needs them";
}

TEST_F(RegisterServerRun, EachProblemOfTheFilesIsAFinding) {
  write_tokens("short chat\na-token-of-16-chars\n");
  EXPECT_THAT(inspected(), ElementsAre(HasSubstr("control.token_file: " + config_.control.token_file + ":1: the token has 5"),
                                       HasSubstr(":2: the token may join no service")));
  ::chmod(config_.control.token_file.c_str(), 0644);
  EXPECT_THAT(inspected(), ElementsAre(HasSubstr("0640")));
  write_tokens("");
  config_.control.tls_certificate = config_.control.tls_key = "/nowhere";
  EXPECT_THAT(inspected(), ElementsAre(HasSubstr("control.tls_certificate: "), HasSubstr("control.tls_key: ")));
}

TEST_F(RegisterServerRun, AKeyOfAnotherCertificateIsAFinding) {
  test::make_certificate(folder_.file("other.crt"), folder_.file("other.key"));
  config_.control.tls_key = folder_.file("other.key");
  EXPECT_THAT(inspected(), ElementsAre(HasSubstr("control.tls_key: " + folder_.file("other.key"))));
  config_.control.tls_certificate = config_.control.token_file;
  EXPECT_THAT(inspected(), ElementsAre(HasSubstr("control.tls_certificate: " + config_.control.token_file)));
}

TEST_F(RegisterServerRun, ListensElsewhereOrNotAtAllAsTheSettingsWant) {
  thread_.start();
  go_over();
  const auto first = *config_.control.register_listen;
  EXPECT_EQ(healthz(first), 200U);
  EXPECT_EQ(server_.tokens().size(), 1U);
  config_.control.register_listen->port = free_port();
  write_tokens("a-token-of-16-chars chat\nb-token-of-16-chars *\n");
  go_over();
  EXPECT_EQ(healthz(*config_.control.register_listen), 200U);
  EXPECT_ANY_THROW(healthz(first));
  EXPECT_EQ(server_.tokens().size(), 2U);
  const auto second = *config_.control.register_listen;
  config_.control.register_listen.reset();
  go_over();
  EXPECT_ANY_THROW(healthz(second));
  EXPECT_EQ(server_.tokens().size(), 0U);
}

TEST_F(RegisterServerRun, GoesOverFromOneAddressToAllOfThemAndBackOnOnePort) {
  thread_.start();
  go_over();
  const auto one = *config_.control.register_listen;
  for (const auto& address : {*netlink::IpAddress::parse("0.0.0.0"), one.address}) {
    config_.control.register_listen->address = address;
    go_over();
    EXPECT_EQ(healthz(one), 200U);
    http::Server other(thread_.io(), {});
    EXPECT_FALSE(other.listen_tcp(one, {})) << "nobody else may have the port";
  }
}

/// A port that somebody else has on one of the addresses.
TEST_F(RegisterServerRun, KeepsItsAddressWhereItCannotHaveAllOfThem) {
  thread_.start();
  go_over();
  auto all = config_.control;
  all.register_listen->address = *netlink::IpAddress::parse("0.0.0.0");
  http::Server other(thread_.io(), {});
  ASSERT_TRUE(other.listen_tcp({*netlink::IpAddress::parse("127.0.0.2"), all.register_listen->port}, {}));
  thread_.run([&] {
    EXPECT_THAT(server_.prepare(all).error(), ElementsAre(HasSubstr("in use")));
    other.stop();
  });
  EXPECT_EQ(healthz(*config_.control.register_listen), 200U);
}

TEST_F(RegisterServerRun, SilentConnectionsShutNobodyOut) {
  thread_.start();
  go_over();
  std::vector<test::RawClient> silent;
  for (int i = 0; i < 128; ++i) silent.emplace_back(config_.control.register_listen->port);
  EXPECT_EQ(healthz(*config_.control.register_listen), 200U);
  EXPECT_TRUE(silent.front().closed());
}

TEST_F(RegisterServerRun, AConnectionHasOneRequest) {
  thread_.start();
  go_over();
  test::TlsClient client(config_.control.register_listen->port);
  client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto response = client.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(response->header("Connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST_F(RegisterServerRun, AnotherCertificateIsShownToNewConnectionsOnly) {
  thread_.start();
  go_over();
  test::TlsClient open(config_.control.register_listen->port);
  const auto before = open.certificate();
  test::make_certificate(config_.control.tls_certificate, config_.control.tls_key);
  go_over();
  EXPECT_NE(test::TlsClient(config_.control.register_listen->port).certificate(), before);
  open.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(open.receive()->status, 200U);
}

TEST_F(RegisterServerRun, WhatCannotBeServedChangesNothing) {
  thread_.start();
  go_over();
  const auto first = *config_.control.register_listen;
  auto broken = config_.control;
  broken.tls_key = "/nowhere";
  auto taken = config_.control;
  http::Server other(thread_.io(), {});
  taken.register_listen->port = *other.listen_tcp({*netlink::IpAddress::parse("127.0.0.1"), 0}, {});
  thread_.run([&] {
    EXPECT_THAT(server_.prepare(broken).error(), ElementsAre(HasSubstr("/nowhere")));
    EXPECT_THAT(server_.prepare(taken).error(), ElementsAre(HasSubstr("in use")));
    other.stop();
  });
  EXPECT_EQ(healthz(first), 200U);
}

}  // namespace
}  // namespace wsl4::control
