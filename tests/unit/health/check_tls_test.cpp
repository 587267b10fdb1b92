#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "daemon/health/tls.h"
#include "tests/support/certificate.h"
#include "tests/unit/health/check_bed.h"

namespace wsl4::health {
namespace {

using testing::StartsWith;

std::shared_ptr<boost::asio::ssl::context> trusting(const test::Certificate& certificate) {
  auto context = std::make_shared<boost::asio::ssl::context>(make_tls_context());
  context->add_certificate_authority(boost::asio::buffer(certificate.pem()));
  return context;
}

/// Answers over TLS, and tells which server name the client sent.
LoopbackServer::Handler serve(const test::Certificate& certificate, std::promise<std::string>* name = nullptr) {
  return [&certificate, name](Peer& peer) {
    if (!peer.accept_tls(certificate.server())) return;
    if (name != nullptr) name->set_value(peer.tls_name());
    const auto request = peer.read_head();
    peer.send(header(request, "Upgrade").empty() ? kOk : upgrade_answer(request));
  };
}

config::Health https(const std::string& host = "") {
  auto health = health_of(HealthType::kHttps);
  health.host = host;
  return health;
}

TEST(CheckTls, SendsTheNameAndVerifiesIt) {
  const test::Certificate certificate;
  std::promise<std::string> name;
  LoopbackServer server(serve(certificate, &name));
  const auto result = run_check(server.endpoint(), https("chat.example.com"), {}, trusting(certificate));
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_THAT(result.detail, StartsWith("200 in "));
  EXPECT_EQ(name.get_future().get(), "chat.example.com");
}

TEST(CheckTls, WithoutAHostTheAddressIsVerifiedAndNoNameSent) {
  const test::Certificate certificate;
  std::promise<std::string> name;
  LoopbackServer server(serve(certificate, &name));
  const auto result = run_check(server.endpoint(), https(), {}, trusting(certificate));
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_EQ(name.get_future().get(), "");
}

TEST(CheckTls, WebSocketOverTls) {
  const test::Certificate certificate;
  LoopbackServer server(serve(certificate));
  auto health = https("chat.example.com");
  health.type = HealthType::kWebSockets;
  const auto result = run_check(server.endpoint(), health, {}, trusting(certificate));
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_THAT(result.detail, StartsWith("101 in "));
}

struct Refused {
  const char* what;
  test::CertificateOptions options;
  std::string host;
  bool trusted;
  const char* detail;
};

TEST(CheckTls, BadCertificatesAreWrongAnswersUnlessNobodyVerifies) {
  const std::vector<Refused> cases = {
      {"unknown", {}, "chat.example.com", false, "TLS: self-signed certificate"},
      {"other name", {}, "other.example.com", true, "TLS: hostname mismatch"},
      {"other address", {.names = "IP:127.0.0.2"}, "", true, "TLS: IP address mismatch"},
      {"address as a name", {.names = "DNS:127.0.0.1"}, "", true, "TLS: IP address mismatch"},
      {"expired", {.expired = true}, "chat.example.com", true, "TLS: certificate has expired"},
  };
  for (const auto& refused : cases) {
    SCOPED_TRACE(refused.what);
    const test::Certificate certificate(refused.options);
    LoopbackServer server(serve(certificate));
    auto health = https(refused.host);
    const auto tls = refused.trusted ? trusting(certificate) : std::make_shared<boost::asio::ssl::context>(make_tls_context());
    const auto result = run_check(server.endpoint(), health, {}, tls);
    EXPECT_EQ(result.outcome, Outcome::kWrongAnswer);
    EXPECT_EQ(result.detail, refused.detail);
    health.tls_verify = false;
    EXPECT_EQ(run_check(server.endpoint(), health, {}, tls).outcome, Outcome::kOk);
  }
}

TEST(CheckTls, ABackendWithoutTlsIsWrong) {
  const auto tls = std::make_shared<boost::asio::ssl::context>(make_tls_context());
  // The first bytes of TLS are no HTTP request, so this one answers at once.
  LoopbackServer plain([](Peer& peer) {
    peer.read_some();
    peer.send(kOk);
  });
  const auto result = run_check(plain.endpoint(), https(), {}, tls);
  EXPECT_EQ(result.outcome, Outcome::kWrongAnswer);
  EXPECT_THAT(result.detail, StartsWith("TLS: "));
}

TEST(CheckTls, AnEndlessHandshakeMeetsTheDeadline) {
  const auto tls = std::make_shared<boost::asio::ssl::context>(make_tls_context());
  LoopbackServer silent([](Peer& peer) { peer.wait_for_end(); });
  auto health = https();
  health.timeout = kShort;
  const auto result = run_check(silent.endpoint(), health, {}, tls);
  EXPECT_EQ(result.outcome, Outcome::kWrongAnswer);
  EXPECT_EQ(result.detail, "no answer within 300 ms");
}

TEST(CheckTls, ASilentBackendBehindTheHandshakeMeetsItToo) {
  const test::Certificate certificate;
  LoopbackServer silent([&](Peer& peer) {
    peer.accept_tls(certificate.server());
    peer.wait_for_end();
  });
  auto health = https();
  health.timeout = 15 * kShort;  // a handshake takes its time on a busy machine
  const auto result = run_check(silent.endpoint(), health, {}, trusting(certificate));
  EXPECT_EQ(result.outcome, Outcome::kWrongAnswer);
  EXPECT_EQ(result.detail, "no answer within 4500 ms");
}

}  // namespace
}  // namespace wsl4::health
