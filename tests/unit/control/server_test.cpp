#include "daemon/control/server.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "daemon/control/json.h"
#include "daemon/control/routes.h"
#include "daemon/http/json.h"
#include "daemon/http/router.h"
#include "daemon/http/server.h"
#include "tests/support/fake_node.h"
#include "tests/support/http_bed.h"

namespace wsl4::control {
namespace {

using test::RawResponse;
namespace json = boost::json;

class Api : public testing::Test {
 protected:
  void start() {
    auto server = start_server(thread_.io(), {path_, std::nullopt}, node_);
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(*server);
    thread_.start();
  }
  void TearDown() override {
    thread_.stop();
    server_.reset();
  }
  RawResponse ask(const std::string& method, const std::string& target) { return test::request(path_, method, target); }
  json::object problem(const std::string& method, const std::string& target, unsigned status) {
    const auto response = ask(method, target);
    EXPECT_EQ(response.status, status) << method << " " << target;
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    auto document = json::parse(response.body).as_object();
    EXPECT_EQ(document.at("type"), "about:blank");
    EXPECT_EQ(document.at("status"), status);
    EXPECT_FALSE(document.at("title").as_string().empty());
    return document;
  }

  test::FakeNode node_;
  test::TemporaryFolder folder_;
  std::string path_ = folder_.file("wsl4d.sock");
  test::IoThread thread_;
  std::unique_ptr<Server> server_;
};

TEST_F(Api, Status) {
  start();
  const auto response = ask("GET", "/v1/status");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("Cache-Control"), "no-store");
  EXPECT_EQ(json::parse(response.body), json::parse(http::to_text(to_json(test::example_status()))));
  EXPECT_EQ(problem("GET", "/v1/status?verbose=1", 400).at("detail"), "there is no parameter 'verbose' here");
}

TEST_F(Api, StatusThatTheNodeRefuses) {
  node_.status_answer = tl::make_unexpected(Refusal{500, "the kernel does not answer", {"why", "and how"}});
  start();
  for (const char* target : {"/v1/status", "/v1/services/chat", "/metrics"}) {
    const auto document = problem("GET", target, 500);
    EXPECT_EQ(document.at("title"), "the kernel does not answer");
    EXPECT_EQ(document.at("detail"), "why\nand how");
    EXPECT_EQ(document.at("problems"), (json::array{"why", "and how"}));
  }
}

TEST_F(Api, OneService) {
  start();
  const auto response = ask("GET", "/v1/services/chat");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(json::parse(response.body).as_object().at("total"), 2'000'000);
  EXPECT_EQ(problem("GET", "/v1/services/nobody", 404).at("detail"), "there is no service 'nobody'");
}

TEST_F(Api, FlowsUpToALimit) {
  node_.known_flows.resize(3);
  start();
  const auto all = json::parse(ask("GET", "/v1/flows?limit=3&service=chat&snat=%5B2001:db8::1%5D:5").body).as_object();
  EXPECT_EQ(all.at("flows").as_array().size(), 3U);
  EXPECT_EQ(all.at("more"), false);
  const auto some = json::parse(ask("GET", "/v1/flows?limit=2").body).as_object();
  EXPECT_EQ(some.at("flows").as_array().size(), 2U);
  EXPECT_EQ(some.at("more"), true);
  problem("GET", "/v1/flows?client=nobody", 400);
  thread_.stop();
  ASSERT_EQ(node_.flow_queries.size(), 2U);
  EXPECT_EQ(node_.flow_queries[0].service, "chat");
  EXPECT_EQ(node_.flow_queries[0].snat, netlink::Endpoint::parse("[2001:db8::1]:5"));
}

TEST_F(Api, EventsAfterOneThatIsKnown) {
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) node_.known_events.push_back({sequence, {}, "reloaded", "", "", ""});
  start();
  EXPECT_EQ(json::parse(ask("GET", "/v1/events").body).as_object().at("events").as_array().size(), 3U);
  const auto later = json::parse(ask("GET", "/v1/events?after=2&wait=9").body).as_object();
  EXPECT_EQ(later.at("events").as_array().at(0).as_object().at("sequence"), 3);
  problem("GET", "/v1/events?wait=long", 400);
  thread_.stop();
  EXPECT_EQ(node_.event_queries.at(1), (std::pair<std::uint64_t, std::chrono::milliseconds>(2, 9000)));
}

TEST_F(Api, Reload) {
  node_.reload_answer = ReloadReport{true, "add table inet wsl4\n", {"control.socket needs a restart"}};
  start();
  EXPECT_EQ(ask("POST", "/v1/reload").body,
            R"({"changed":true,"dry_run":false,"nft":"add table inet wsl4\n","warnings":["control.socket needs a restart"]})"
            "\n");
  EXPECT_EQ(json::parse(ask("POST", "/v1/reload?dry_run=1").body).as_object().at("dry_run"), true);
  EXPECT_EQ(problem("GET", "/v1/reload", 405).at("detail"), "GET is not possible here; possible: POST");
  EXPECT_EQ(ask("DELETE", "/v1/reload").header("Allow"), "POST");
  thread_.stop();
  EXPECT_EQ(node_.reloads, (std::vector<bool>{false, true}));
}

TEST_F(Api, ReloadOfABadConfigurationTellsEveryProblem) {
  node_.reload_answer = tl::make_unexpected(Refusal{422, "2 errors", {"a:1:1: x", "a:2:1: y"}});
  start();
  EXPECT_EQ(problem("POST", "/v1/reload", 422).at("problems"), (json::array{"a:1:1: x", "a:2:1: y"}));
}

TEST_F(Api, HealthAndReadiness) {
  start();
  EXPECT_EQ(ask("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(ask("GET", "/readyz").status, 200U);
  EXPECT_EQ(ask("HEAD", "/readyz").status, 200U);
}

TEST_F(Api, AStandbyIsHealthyButNotReady) {
  node_.is_ready = false;
  start();
  EXPECT_EQ(ask("GET", "/healthz").status, 200U);
  problem("GET", "/readyz", 503);
}

TEST_F(Api, MetricsAndPage) {
  start();
  const auto metrics = ask("GET", "/metrics");
  EXPECT_EQ(metrics.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics.body.find("wsl4_backend_connections{"), std::string::npos);
  const auto page = ask("GET", "/");
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(page.header("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.body.find("://"), std::string::npos) << "the page must work without network";
  EXPECT_EQ(page.body.find("innerHTML"), std::string::npos) << "what comes from the API goes in as text";
}

TEST_F(Api, WhatComesLaterSaysSo) {
  start();
  const std::vector<std::pair<const char*, const char*>> later{{"GET", "/v1/services/chat/pick"},
                                                               {"POST", "/v1/failover"},
                                                               {"POST", "/v1/role"},
                                                               {"PUT", "/v1/services/chat/backends/b"},
                                                               {"PATCH", "/v1/services/chat/backends/b"},
                                                               {"DELETE", "/v1/services/chat/backends/b"}};
  for (const auto& [method, target] : later) EXPECT_EQ(problem(method, target, 501).at("title"), "Not available in this version");
  EXPECT_EQ(ask("GET", "/v1/services/chat/backends/b").header("Allow"), "DELETE, PATCH, PUT");
}

TEST_F(Api, UnknownPathsAndMethods) {
  start();
  for (const char* target :
       {"/v1", "/v1/", "/v1/status/", "/v2/status", "/v1/services/", "/v1/services//pick", "//", "/../etc/passwd"}) {
    problem("GET", target, 404);
  }
  problem("POST", "/v1/status", 405);
  EXPECT_EQ(ask("OPTIONS", "/v1/status").header("Allow"), "GET, HEAD");
  problem("get", "/v1/status", 405);
}

TEST_F(Api, ASecondDaemonDoesNotTakeTheSocket) {
  start();
  test::IoThread other;
  const auto second = start_server(other.io(), {path_, std::nullopt}, node_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("another daemon answers there"), std::string::npos);
  EXPECT_EQ(ask("GET", "/healthz").status, 200U);
}

/// The same routes as they are served on control.listen.
class ReadOnlyApi : public testing::Test {
 protected:
  void SetUp() override {
    const auto bound = server_.listen_unix(
        path_, [this](const http::Request& request) { return router_.answer(request, http::Router::Access::kReadsOnly); });
    ASSERT_TRUE(bound) << bound.error();
    thread_.start();
  }
  void TearDown() override { thread_.stop(); }

  test::FakeNode node_;
  test::TemporaryFolder folder_;
  std::string path_ = folder_.file("s");
  http::Router router_{make_routes(node_)};
  test::IoThread thread_;
  http::Server server_{thread_.io(), {}};
};

TEST_F(ReadOnlyApi, ServesWhatReadsAndNothingElse) {
  for (const char* target :
       {"/", "/metrics", "/healthz", "/readyz", "/v1/status", "/v1/services/chat", "/v1/flows", "/v1/events"}) {
    EXPECT_EQ(test::request(path_, "GET", target).status, 200U) << target;
  }
  for (const char* target : {"/v1/reload", "/v1/failover", "/v1/role"}) {
    EXPECT_EQ(test::request(path_, "POST", target).status, 403U) << target;
  }
  for (const char* method : {"PUT", "PATCH", "DELETE"}) {
    EXPECT_EQ(test::request(path_, method, "/v1/services/chat/backends/b").status, 403U) << method;
  }
  thread_.stop();
  EXPECT_TRUE(node_.reloads.empty());
}

}  // namespace
}  // namespace wsl4::control
