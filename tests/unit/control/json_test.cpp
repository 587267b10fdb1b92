#include "daemon/control/json.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "daemon/http/json.h"
#include "tests/support/fake_node.h"

namespace wsl4::control {
namespace {

namespace json = boost::json;

// The contract's example (section 4) for a single node, and behind its members those that wsl4 adds.
constexpr const char* kContract = R"json({
  "version": "0.1.0",
  "node": {"name": "lb-a", "role": "active", "role_since": "2026-11-23T13:41:00Z", "uptime_s": 12},
  "ha": {"election": "none", "peer": {"name": null, "address": null, "connected": false, "role": null},
         "sync": {"state": "none", "flows": 0, "pending": 0, "lag_ms": 0, "sent": 0, "received": 0, "resyncs": 0,
                  "repairs": 0, "refused": 0, "bytes_sent": 0, "bytes_received": 0},
         "transitions": 0, "priority": 0, "adverts": {"sent": 0, "received": 0, "rejected": {}},
         "link_connections": 0, "link_refusals": {},
         "takeover": null, "differing_keys": []},
  "services": [
    {"name": "chat", "protocol": "tcp", "listen": ["203.0.113.10:443", "[2001:db8::10]:443"], "scheduler": "round-robin",
     "mode": "snat",
     "connections": 100000, "rate": 123.4, "total": 2000000, "refused": 7,
     "backends": [
       {"name": "erlang-1", "address": "198.51.100.101:8888", "state": "up", "weight": 100, "connections": 33333,
        "max_connections": 60000, "share": 0.333333, "total": 700000,
        "check": {"ok": true, "detail": "101 in 0.8 ms", "age_s": 1.1},
        "reason": "", "changed": false, "half_open": 0, "empty_in_s": null, "public": "wss://erlang-1.example.com/ws", "source": "file", "lease_s": null}],
     "refused_by": {"no_backend": 7, "full": 0, "client_limit": 0},
     "snat": {"pool": "main", "addresses": [{"address": "198.51.100.16", "connections": 6250, "used": 6260}],
              "capacity": 3145680, "used": 100000, "worst_use": 0.033, "pairs_full": 0, "full_in_s": null},
     "health": "websocket", "removed": [], "discovery": null}],
  "kernel": {"release": "6.12.5", "conntrack": {"count": 100321, "max": 4000000}, "ruleset_in_sync": true,
             "ruleset_repairs": 0, "event_overruns": 0, "dumps": 3},
  "warnings": []
})json";

TEST(StatusJson, IsTheContractsToTheLetter) {
  EXPECT_EQ(http::to_text(to_json(test::example_status())), http::to_text(json::parse(kContract)));
}

// The contract's example for a pair, with what wsl4 adds.
TEST(StatusJson, APairIsTheContractsToTheLetter) {
  auto status = test::example_status();
  status.ha = test::example_ha();
  status.ha.differing_keys = {"pool[0].ports"};
  EXPECT_EQ(http::to_text(to_json(status).at("ha")), http::to_text(json::parse(R"json({
    "election": "vrrp", "peer": {"name": "lb-b", "address": "198.51.100.2:4440", "connected": true, "role": "standby"},
    "sync": {"state": "synced", "flows": 100000, "pending": 0, "lag_ms": 1.2, "sent": 1, "received": 0, "resyncs": 0,
             "repairs": 0, "refused": 0, "bytes_sent": 4400000, "bytes_received": 2000},
    "transitions": 1, "priority": 150, "adverts": {"sent": 120, "received": 3, "rejected": {"ttl": 2, "vrid": 0}},
    "link_connections": 2, "link_refusals": {"unknown_key": 4},
    "takeover": {"plan": "take", "phases": [{"step": "guard-drop", "took_ms": 0.087, "done": true},
                                            {"step": "add-addresses", "took_ms": 2.35, "done": true}]},
    "differing_keys": ["pool[0].ports"]})json")));
}

TEST(StatusJson, APeerThatWasNotHeardOfHasAnAddressOnly) {
  auto ha = test::example_ha();
  ha.peer = PeerStatus{"", *netlink::Endpoint::parse("[2001:db8::2]:4440"), false, ""};
  EXPECT_EQ(http::to_text(to_json(ha).at("peer")), R"({"name":null,"address":"[2001:db8::2]:4440","connected":false,"role":null})");
}

TEST(StatusJson, WithoutTranslationThereIsNoPool) {
  auto status = test::example_status();
  status.services[0].mode = "dnat";
  status.services[0].snat.reset();
  EXPECT_TRUE(to_json(status).at("services").as_array()[0].as_object().at("snat").is_null());
}

TEST(StatusJson, AnEmptyNodeHasEmptyLists) {
  const auto document = to_json(Status{});
  EXPECT_EQ(document.at("services"), json::array());
  EXPECT_EQ(document.at("warnings"), json::array());
}

TEST(StatusJson, WhatIsNotKnownIsNull) {
  auto status = test::example_status();
  auto& backend = status.services[0].backends[0];
  backend.check.reset();
  backend.public_address.clear();
  backend.empty_in = std::chrono::seconds(90);
  backend.reason = "draining";
  status.services[0].removed = {"erlang-2"};
  status.services[0].snat->full_in = std::chrono::hours(2);
  const auto service = to_json(status.services[0]);
  const auto& shown = service.at("backends").as_array()[0].as_object();
  EXPECT_TRUE(shown.at("check").is_null());
  EXPECT_TRUE(shown.at("public").is_null());
  EXPECT_EQ(shown.at("empty_in_s"), 90);
  EXPECT_EQ(shown.at("reason"), "draining");
  EXPECT_EQ(service.at("removed"), (json::array{"erlang-2"}));
  EXPECT_EQ(service.at("snat").as_object().at("full_in_s"), 7200);
}

TEST(StatusJson, TellsWhereBackendsComeFrom) {
  auto status = test::example_status();
  auto& service = status.services[0];
  service.backends[0].source = "registered";
  service.backends[0].lease = std::chrono::seconds(23);
  service.discovery = DiscoveryStatus{"dns:x.example:80", true, "no answer", WallClock::from_time_t(0)};
  const auto shown = to_json(service);
  const auto& backend = shown.at("backends").as_array()[0].as_object();
  EXPECT_EQ(backend.at("source"), "registered");
  EXPECT_EQ(backend.at("lease_s"), 23);
  EXPECT_EQ(http::to_text(shown.at("discovery")),
            R"({"source":"dns:x.example:80","failing":true,"error":"no answer","last_success":"1970-01-01T00:00:00Z"})");
}

TEST(FlowsJson, TellsBothSidesOfAFlow) {
  FlowView flow;
  flow.service = "chat";
  flow.backend = "erlang-1";
  flow.protocol = "tcp";
  flow.client = *netlink::Endpoint::parse("[2001:db8::1]:40000");
  flow.vip = *netlink::Endpoint::parse("[2001:db8::10]:443");
  flow.snat = *netlink::Endpoint::parse("[2001:db8::16]:1024");
  flow.server = *netlink::Endpoint::parse("[2001:db8::101]:8888");
  flow.state = "ESTABLISHED";
  flow.expires = std::chrono::seconds(3600);
  EXPECT_EQ(http::to_text(to_json(std::vector<FlowView>{flow}, true)),
            R"({"flows":[{"service":"chat","backend":"erlang-1","protocol":"tcp","client":"[2001:db8::1]:40000",)"
            R"("vip":"[2001:db8::10]:443","snat":"[2001:db8::16]:1024","server":"[2001:db8::101]:8888","state":"ESTABLISHED",)"
            R"("expires_s":3600,"age_s":null}],"more":true})");
  flow.age = std::chrono::seconds(5);
  EXPECT_EQ(to_json(std::vector<FlowView>{flow}, false).at("flows").as_array()[0].as_object().at("age_s"), 5);
}

TEST(EventsJson, KeepsOrderAndTime) {
  NodeEvent event;
  event.sequence = 4;
  event.time = WallClock::from_time_t(0);
  event.name = "reloaded";
  event.detail = "2 services";
  EXPECT_EQ(
      http::to_text(to_json(std::vector<NodeEvent>{event})),
      R"({"events":[{"sequence":4,"time":"1970-01-01T00:00:00Z","name":"reloaded","service":"","backend":"","detail":"2 services"}]})");
}

TEST(ChangeJson, TellsWhatWasDone) {
  const ChangeReport report{service::Applied::kCreated, 5, {"careful"}};
  EXPECT_EQ(http::to_text(to_json("chat", "b1", report)),
            R"({"service":"chat","backend":"b1","result":"created","connections":5,"warnings":["careful"]})");
  EXPECT_EQ(to_json("chat", "b1", ChangeReport{}).at("result"), "unchanged");
  EXPECT_EQ(to_json("chat", "b1", ChangeReport{service::Applied::kReported, 0, {}}).at("result"), "reported");
}

TEST(Time, IsCutToWholeSeconds) {
  EXPECT_EQ(to_iso8601(WallClock::from_time_t(1'795'441'260) + std::chrono::milliseconds(999)), "2026-11-23T13:41:00Z");
  EXPECT_EQ(to_iso8601(WallClock::from_time_t(0) - std::chrono::milliseconds(1)), "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace wsl4::control
