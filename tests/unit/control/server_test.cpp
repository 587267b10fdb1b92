#include "daemon/control/server.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "daemon/control/body.h"
#include "daemon/control/json.h"
#include "daemon/control/routes.h"
#include "daemon/http/json.h"
#include "daemon/http/router.h"
#include "daemon/http/server.h"
#include "tests/support/node_bed.h"

namespace wsl4::control {
namespace {

using test::RawResponse;
namespace json = boost::json;

class Api : public test::NodeBed {
 protected:
  RawResponse ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    return test::request(path_, method, target, body);
  }
  json::object problem(const std::string& method, const std::string& target, unsigned status, const std::string& body = {}) {
    const auto response = ask(method, target, body);
    EXPECT_EQ(response.status, status) << method << " " << target;
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    auto document = json::parse(response.body).as_object();
    EXPECT_EQ(document.at("type"), "about:blank");
    EXPECT_EQ(document.at("status"), status);
    EXPECT_FALSE(document.at("title").as_string().empty());
    return document;
  }
};

TEST_F(Api, Status) {
  serve();
  const auto response = ask("GET", "/v1/status");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("Cache-Control"), "no-store");
  EXPECT_EQ(json::parse(response.body), json::parse(http::to_text(to_json(test::example_status()))));
  EXPECT_EQ(problem("GET", "/v1/status?verbose=1", 400).at("detail"), "there is no parameter 'verbose' here");
}

TEST_F(Api, StatusThatTheNodeRefuses) {
  node_.status_answer = tl::make_unexpected(Refusal{500, "the kernel does not answer", {"why", "and how"}});
  serve();
  for (const char* target : {"/v1/status", "/v1/services/chat", "/metrics"}) {
    const auto document = problem("GET", target, 500);
    EXPECT_EQ(document.at("title"), "the kernel does not answer");
    EXPECT_EQ(document.at("detail"), "why\nand how");
    EXPECT_EQ(document.at("problems"), (json::array{"why", "and how"}));
  }
}

TEST_F(Api, OneService) {
  serve();
  const auto response = ask("GET", "/v1/services/chat");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(json::parse(response.body).as_object().at("total"), 2'000'000);
  EXPECT_EQ(problem("GET", "/v1/services/nobody", 404).at("detail"), "there is no service 'nobody'");
}

TEST_F(Api, FlowsUpToALimit) {
  node_.known_flows.resize(3);
  serve();
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
  serve();
  EXPECT_EQ(json::parse(ask("GET", "/v1/events").body).as_object().at("events").as_array().size(), 3U);
  const auto later = json::parse(ask("GET", "/v1/events?after=2&wait=9").body).as_object();
  EXPECT_EQ(later.at("events").as_array().at(0).as_object().at("sequence"), 3);
  problem("GET", "/v1/events?wait=long", 400);
  thread_.stop();
  EXPECT_EQ(node_.event_queries.at(1), (std::pair<std::uint64_t, std::chrono::milliseconds>(2, 9000)));
}

TEST_F(Api, Reload) {
  node_.reload_answer = ReloadReport{true, "add table inet wsl4\n", {"control.socket needs a restart"}, {"ha.key_file"}};
  node_.reload_answer->addresses_added = {{*netlink::IpAddress::parse("203.0.113.11"), "eth0"}};
  node_.reload_answer->sysctls = {{"net/ipv4/ip_forward", "0", "1"}};
  serve();
  EXPECT_EQ(
      ask("POST", "/v1/reload").body,
      R"({"changed":true,"dry_run":false,"nft":"add table inet wsl4\n","warnings":["control.socket needs a restart"],"read_anew":["ha.key_file"],)"
      R"("addresses_added":[{"address":"203.0.113.11","interface":"eth0"}],"addresses_removed":[],)"
      R"("sysctls":[{"name":"net/ipv4/ip_forward","before":"0","value":"1"}]})"
      "\n");
  EXPECT_EQ(json::parse(ask("POST", "/v1/reload?dry_run=1").body).as_object().at("dry_run"), true);
  EXPECT_EQ(problem("GET", "/v1/reload", 405).at("detail"), "GET is not possible here; possible: POST");
  EXPECT_EQ(ask("DELETE", "/v1/reload").header("Allow"), "POST");
  thread_.stop();
  EXPECT_EQ(node_.reloads, (std::vector<bool>{false, true}));
}

TEST_F(Api, ReloadOfABadConfigurationTellsEveryProblem) {
  node_.reload_answer = tl::make_unexpected(Refusal{422, "2 errors", {"a:1:1: x", "a:2:1: y"}});
  serve();
  EXPECT_EQ(problem("POST", "/v1/reload", 422).at("problems"), (json::array{"a:1:1: x", "a:2:1: y"}));
}

TEST_F(Api, HealthAndReadiness) {
  serve();
  EXPECT_EQ(ask("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(ask("GET", "/readyz").status, 200U);
  EXPECT_EQ(ask("HEAD", "/readyz").status, 200U);
}

TEST_F(Api, AStandbyIsHealthyButNotReady) {
  node_.is_ready = false;
  serve();
  EXPECT_EQ(ask("GET", "/healthz").status, 200U);
  node_.is_alive = false;
  const auto hung = ask("GET", "/healthz");
  EXPECT_EQ(hung.status, 503U);
  EXPECT_NE(hung.body.find("does not turn"), std::string::npos) << hung.body;
  problem("GET", "/readyz", 503);
}

TEST_F(Api, MetricsAndPage) {
  serve();
  const auto metrics = ask("GET", "/metrics");
  EXPECT_EQ(metrics.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics.body.find("wsl4_backend_connections{"), std::string::npos);
  const auto page = ask("GET", "/");
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(page.header("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.body.find("://"), std::string::npos) << "the page must work without network";
  EXPECT_EQ(page.body.find("innerHTML"), std::string::npos) << "what comes from the API goes in as text";
}

constexpr const char* kBackend = "/v1/services/chat/backends/b1";

TEST_F(Api, PutAddsABackend) {
  node_.change_answer = ChangeReport{service::Applied::kCreated, 0, {}};
  serve();
  const auto created =
      ask("PUT", kBackend, R"({"address": "198.51.100.1:80", "weight": 50, "max_connections": 9, "public": "ws://x"})");
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(created.body, R"({"service":"chat","backend":"b1","result":"created","connections":0,"warnings":[]})"
                          "\n");
  thread_.run([this] { node_.change_answer = ChangeReport{service::Applied::kNothing, 3, {}}; });
  const auto again = ask("PUT", "/v1/services/chat/backends/b%31", R"({"address": "198.51.100.1:80"})");
  EXPECT_EQ(again.status, 200U);
  thread_.stop();
  ASSERT_EQ(node_.changes.size(), 2U);
  const auto& [service, backend, change] = node_.changes[0];
  EXPECT_EQ(service, "chat");
  EXPECT_EQ(backend, "b1");
  const auto& add = std::get<service::AddBackend>(change);
  EXPECT_EQ(add.address.to_string(), "198.51.100.1:80");
  EXPECT_EQ(add.weight, 50);
  EXPECT_EQ(add.max_connections, 9U);
  EXPECT_EQ(add.public_address, "ws://x");
  EXPECT_EQ(std::get<service::AddBackend>(std::get<2>(node_.changes[1])).weight, 100);
  EXPECT_EQ(std::get<1>(node_.changes[1]), "b1");
}

TEST_F(Api, PatchChangesWhatIsGiven) {
  serve();
  EXPECT_EQ(ask("PATCH", kBackend, R"({"state": "draining", "evict": 20})").status, 200U);
  EXPECT_EQ(ask("PATCH", kBackend, R"({"weight": 0, "max_connections": 7, "connections": 41})").status, 200U);
  thread_.stop();
  const auto drain = std::get<service::EditBackend>(std::get<2>(node_.changes.at(0)));
  EXPECT_EQ(drain.state, service::AdminState::kDraining);
  EXPECT_EQ(drain.evict, 20U);
  EXPECT_FALSE(drain.weight || drain.max_connections || drain.connections);
  const auto rest = std::get<service::EditBackend>(std::get<2>(node_.changes.at(1)));
  EXPECT_EQ(rest.weight, 0);
  EXPECT_EQ(rest.max_connections, 7U);
  EXPECT_EQ(rest.connections, 41U);
  EXPECT_FALSE(rest.state || rest.evict);
}

TEST_F(Api, DeleteRemovesOrResets) {
  serve();
  EXPECT_EQ(ask("DELETE", kBackend).status, 200U);
  EXPECT_EQ(ask("DELETE", std::string(kBackend) + "?reset=1").status, 200U);
  problem("DELETE", std::string(kBackend) + "?reset=now", 400);
  problem("DELETE", std::string(kBackend) + "?force=1", 400);
  thread_.stop();
  ASSERT_EQ(node_.changes.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<service::RemoveBackend>(std::get<2>(node_.changes[0])));
  EXPECT_TRUE(std::holds_alternative<service::ResetBackend>(std::get<2>(node_.changes[1])));
}

TEST_F(Api, ABodyThatIsWrongReachesNobody) {
  serve();
  for (const char* method : {"PUT", "PATCH"}) {
    problem(method, kBackend, 400);
    problem(method, kBackend, 400, "[]");
    problem(method, std::string(kBackend) + "?weight=5", 400, "{}");
    EXPECT_EQ(problem(method, kBackend, 422, R"({"weight": 1001, "colour": 1, "address": 5})").at("problems").as_array().size(),
              3U);
  }
  problem("POST", "/v1/services/chat/rebalance", 400);
  EXPECT_EQ(problem("POST", "/v1/services/chat/rebalance", 422, "{}").at("detail"), "rate: is missing (0-1000000)");
  thread_.stop();
  EXPECT_TRUE(node_.changes.empty());
  EXPECT_TRUE(node_.rebalances.empty());
}

TEST_F(Api, ChangesThatTheNodeRefuses) {
  serve();
  using Kind = service::ChangeError::Kind;
  for (const auto& [kind, status] :
       {std::pair(Kind::kNotFound, 404U), std::pair(Kind::kConflict, 409U), std::pair(Kind::kBad, 422U)}) {
    thread_.run([this, kind = kind] { node_.change_answer = tl::make_unexpected(to_refusal({kind, {"why", "and how"}})); });
    EXPECT_EQ(problem("DELETE", kBackend, status).at("problems"), (json::array{"why", "and how"}));
  }
}

TEST_F(Api, Pick) {
  serve();
  EXPECT_EQ(problem("GET", "/v1/services/chat/pick", 503).at("title"), "No backend has room");
  thread_.run([this] { node_.pick_answer = PickedBackend{"b1", *netlink::Endpoint::parse("198.51.100.1:80"), ""}; });
  EXPECT_EQ(ask("GET", "/v1/services/chat/pick").body,
            R"({"service":"chat","backend":"b1","address":"198.51.100.1:80","public":null})"
            "\n");
  problem("GET", "/v1/services/chat/pick?client=1", 400);
  thread_.stop();
  EXPECT_EQ(node_.picks, (std::vector<std::string>{"chat", "chat"}));
}

TEST_F(Api, Rebalance) {
  serve();
  EXPECT_EQ(ask("POST", "/v1/services/chat/rebalance", R"({"rate": 50})").body, R"({"service":"chat","rate":50,"surplus":5000})"
                                                                                "\n");
  thread_.stop();
  EXPECT_EQ(node_.rebalances, (std::vector<std::pair<std::string, std::uint32_t>>{{"chat", 50}}));
}

TEST_F(Api, Failover) {
  serve();
  for (const char* body : {"", R"({"force": false})", R"({"force": true})"})
    EXPECT_EQ(ask("POST", "/v1/failover", body).body, "{\"detail\":\"lb-b is active\"}\n") << body;
  problem("POST", "/v1/failover?force=1", 400);
  problem("POST", "/v1/failover", 400, "yes");
  EXPECT_EQ(problem("POST", "/v1/failover", 422, R"({"force": 1})").at("detail"), "force: must be true or false");
  thread_.run([this] { node_.failover_answer = tl::make_unexpected(Refusal{409, "the peer is not synced", {}}); });
  EXPECT_EQ(problem("POST", "/v1/failover", 409).at("title"), "the peer is not synced");
  problem("GET", "/v1/failover", 405);
  thread_.stop();
  EXPECT_EQ(node_.failovers, (std::vector<bool>{false, false, true, false}));
}

TEST_F(Api, Role) {
  serve();
  for (const char* body : {R"({"role": "active"})", R"({"role": "standby"})"})
    EXPECT_EQ(ask("POST", "/v1/role", body).body, "{\"detail\":\"this node is active\"}\n") << body;
  problem("POST", "/v1/role?role=active", 400);
  problem("POST", "/v1/role", 400);
  problem("POST", "/v1/role", 422, "{}");
  problem("POST", "/v1/role", 422, R"({"role": "init"})");
  thread_.run([this] { node_.role_answer = tl::make_unexpected(Refusal{409, "election is \"vrrp\": use failover", {}}); });
  EXPECT_EQ(problem("POST", "/v1/role", 409, R"({"role": "active"})").at("title"), "election is \"vrrp\": use failover");
  thread_.stop();
  EXPECT_EQ(node_.roles, (std::vector<bool>{true, false, true}));
}

TEST_F(Api, MethodsOfABackend) {
  serve();
  EXPECT_EQ(ask("GET", kBackend).header("Allow"), "DELETE, PATCH, PUT");
}

TEST_F(Api, UnknownPathsAndMethods) {
  serve();
  for (const char* target :
       {"/v1", "/v1/", "/v1/status/", "/v2/status", "/v1/services/", "/v1/services//pick", "//", "/../etc/passwd"}) {
    problem("GET", target, 404);
  }
  problem("POST", "/v1/status", 405);
  EXPECT_EQ(ask("OPTIONS", "/v1/status").header("Allow"), "GET, HEAD");
  problem("get", "/v1/status", 405);
}

TEST_F(Api, ASecondDaemonDoesNotTakeTheSocket) {
  serve();
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
  EXPECT_EQ(test::request(path_, "GET", "/v1/services/chat/pick").status, 503U) << "the node's answer";
  for (const char* target : {"/v1/reload", "/v1/failover", "/v1/role", "/v1/services/chat/rebalance"}) {
    EXPECT_EQ(test::request(path_, "POST", target).status, 403U) << target;
  }
  for (const char* method : {"PUT", "PATCH", "DELETE"}) {
    EXPECT_EQ(test::request(path_, method, "/v1/services/chat/backends/b").status, 403U) << method;
  }
  thread_.stop();
  EXPECT_TRUE(node_.reloads.empty());
  EXPECT_TRUE(node_.failovers.empty());
  EXPECT_TRUE(node_.roles.empty());
  EXPECT_TRUE(node_.changes.empty());
}

}  // namespace
}  // namespace wsl4::control
