#include "daemon/ctl/text.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "daemon/control/json.h"
#include "tests/support/fake_node.h"

namespace wsl4::ctl {
namespace {

TEST(StatusText, ASingleNode) {
  EXPECT_EQ(status_text(control::to_json(test::example_status()), false),
            R"(lb-a  active since 2026-11-23 13:41:00 UTC, up 12 s, single node
wsl4 0.1.0 on Linux 6.12.5, rules in sync, 100,321 of 4,000,000 conntrack entries, 0 event overruns

chat  tcp, snat, round-robin, health websocket, on 203.0.113.10:443 [2001:db8::10]:443
  100,000 connections, 123.4 new/s, 2,000,000 in total, 7 refused (no_backend 7)
  pool main: 100,000 of 3,145,680 ports in use on 1 address, fullest pair 3.3 %
  BACKEND   ADDRESS              STATE  WEIGHT  CONNECTIONS     MAX   SHARE    TOTAL  CHECK
  erlang-1  198.51.100.101:8888  up        100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms
)");
}

TEST(StatusText, APair) {
  auto status = test::example_status();
  status.ha = test::example_ha();
  status.warnings = {"careful"};
  const std::string text = status_text(control::to_json(status), false);
  EXPECT_EQ(text.substr(0, text.find("\n\n") + 1),
            R"(lb-a  active since 2026-11-23 13:41:00 UTC, up 12 s
wsl4 0.1.0 on Linux 6.12.5, rules in sync, 100,321 of 4,000,000 conntrack entries, 0 event overruns
  election  vrrp, priority 150, 1 role change
  peer      lb-b at 198.51.100.2:4440, connected, standby
  sync      synced, 100,000 flows, 0 pending, lag 1.2 ms, 1 sent, 0 received
  takeover  take, 2.4 ms: guard-drop 0.1 ms, add-addresses 2.4 ms
warning: careful
)");
}

TEST(PairText, APeerThatWasNotHeardOf) {
  control::HaStatus ha;
  EXPECT_EQ(pair_text(control::to_json(ha), false), "") << "a single node";
  ha.election = "external";
  ha.peer = control::PeerStatus{"", *netlink::Endpoint::parse("198.51.100.2:4440"), false, ""};
  ha.sync.state = "disconnected";
  EXPECT_EQ(pair_text(control::to_json(ha), false),
            "  election  external, 0 role changes\n"
            "  peer      198.51.100.2:4440, not connected\n"
            "  sync      disconnected, 0 flows, 0 pending, lag 0.0 ms, 0 sent, 0 received\n");
}

TEST(PairText, WhatIsUnusualIsSeen) {
  auto ha = test::example_ha();
  ha.peer->role = "fault";
  ha.sync.state = "bulk";
  ha.sync.resyncs = 2;
  ha.sync.repairs = 1'500;
  ha.sync.refused = 3;
  ha.takeover_plan = "hand-over";
  ha.takeover = {{"drain", std::chrono::seconds(1), false}};
  const std::string text = pair_text(control::to_json(ha), true);
  for (const char* part : {"\x1b[32mconnected\x1b[0m, \x1b[31mfault\x1b[0m", "\x1b[33mbulk\x1b[0m, 100,000 flows",
                           ", 2 resyncs, \x1b[33m1,500 repaired\x1b[0m, \x1b[33m3 refused by this kernel\x1b[0m",
                           "takeover  hand-over, 1000.0 ms: \x1b[31mdrain 1000.0 ms (given up)\x1b[0m"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
  ha.takeover.clear();
  EXPECT_NE(pair_text(control::to_json(ha), false).find("  takeover  hand-over, begun\n"), std::string::npos);
}

control::BackendStatus backend_like(const control::BackendStatus& other, const std::string& name, const std::string& state,
                                    const std::string& reason) {
  auto backend = other;
  backend.name = name;
  backend.state = state;
  backend.reason = reason;
  return backend;
}

// The reason stands behind the state, without saying the state twice; run-time changes have a mark and a line that explains it.
TEST(StatusText, SaysWhyAShareIsWhatItIs) {
  auto status = test::example_status();
  auto& service = status.services[0];
  auto& backends = service.backends;
  backends.push_back(backend_like(backends[0], "erlang-2", "down", "down: connection refused"));
  backends[1].check = {false, "connection refused", std::chrono::milliseconds(10)};
  backends.push_back(backend_like(backends[0], "erlang-3", "draining", "draining"));
  backends[2].changed = true;
  backends[2].empty_in = std::chrono::seconds(3 * 3600 + 300);
  backends[2].half_open = 1200;
  backends.push_back(backend_like(backends[0], "erlang-4", "up", "slow start"));
  backends.push_back(backend_like(backends[0], "erlang-5", "draining", "removed"));
  backends[4].empty_in = std::chrono::seconds(5);
  backends[4].max_connections = 0;
  service.removed = {"erlang-6", "erlang-7"};
  service.snat->worst_use = 1;
  service.snat->pairs_full = 2;
  service.snat->full_in = std::chrono::seconds(95);
  const std::string text = status_text(control::to_json(status), false);
  EXPECT_EQ(text.substr(text.find("\nchat")),
            R"(
chat  tcp, snat, round-robin, health websocket, on 203.0.113.10:443 [2001:db8::10]:443
  100,000 connections and 1,200 half-open, 123.4 new/s, 2,000,000 in total, 7 refused (no_backend 7)
  pool main: 100,000 of 3,145,680 ports in use on 1 address, fullest pair 100.0 %, 2 pairs full, full in 1 min 35 s
  BACKEND     ADDRESS              STATE                             WEIGHT  CONNECTIONS     MAX   SHARE    TOTAL  CHECK
  erlang-1    198.51.100.101:8888  up                                   100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms
  erlang-2    198.51.100.101:8888  down (connection refused)            100       33,333  60,000  33.3 %  700,000  connection refused
  erlang-3 *  198.51.100.101:8888  draining (empty in 3 h 5 min)        100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms
  erlang-4    198.51.100.101:8888  up (slow start)                      100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms
  erlang-5    198.51.100.101:8888  draining (removed, empty in 5 s)     100       33,333       -  33.3 %  700,000  101 in 0.8 ms
  * changed at run time; wsl4ctl backend reset SERVICE NAME drops the change
  removed at run time: erlang-6 erlang-7; wsl4ctl backend reset SERVICE NAME brings one back
)");
}

// Where backends come from is shown once one has joined.
TEST(StatusText, SaysWhoJoined) {
  auto status = test::example_status();
  auto& service = status.services[0];
  service.discovery = control::DiscoveryStatus{"dns:_ws._tcp.example.com", true, "no answer", control::WallClock::from_time_t(0)};
  service.backends.push_back(backend_like(service.backends[0], "erlang-2", "up", ""));
  service.backends[1].source = "registered";
  service.backends[1].lease = std::chrono::seconds(23);
  service.backends.push_back(backend_like(service.backends[0], "erlang-3", "draining", "has left"));
  service.backends[2].source.clear();
  const std::string text = status_text(control::to_json(status), false);
  EXPECT_EQ(text.substr(text.find("  discovery")),
            R"(  discovery dns:_ws._tcp.example.com: failing, answered last at 1970-01-01 00:00:00 UTC
  BACKEND   ADDRESS              STATE                WEIGHT  CONNECTIONS     MAX   SHARE    TOTAL  CHECK          SOURCE
  erlang-1  198.51.100.101:8888  up                      100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms  file
  erlang-2  198.51.100.101:8888  up                      100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms  registered, ends in 23 s
  erlang-3  198.51.100.101:8888  draining (has left)     100       33,333  60,000  33.3 %  700,000  101 in 0.8 ms  -
)");
}

TEST(StatusText, IPv6FitsAndWarningsAreSeen) {
  auto status = test::example_status();
  status.warnings = {"pool main: the fullest pair is at 90 %", "rp_filter is strict on eth0"};
  status.ruleset_in_sync = false;
  auto& service = status.services[0];
  service.snat.reset();
  service.mode = "dnat";
  service.health = "none";
  service.backends[0].check.reset();
  service.backends[0].max_connections = 0;
  service.refused = 0;
  service.refused_by.clear();
  service.backends.push_back(service.backends[0]);
  service.backends[1].name = "erlang-with-a-long-name";
  service.backends[1].address = *netlink::Endpoint::parse("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535");
  service.backends[1].state = "draining";
  service.backends[1].weight = 0;
  service.backends[1].share = 0;
  EXPECT_EQ(status_text(control::to_json(status), false),
            R"(lb-a  active since 2026-11-23 13:41:00 UTC, up 12 s, single node
wsl4 0.1.0 on Linux 6.12.5, rules NOT IN SYNC, 100,321 of 4,000,000 conntrack entries, 0 event overruns
warning: pool main: the fullest pair is at 90 %
warning: rp_filter is strict on eth0

chat  tcp, dnat, round-robin, on 203.0.113.10:443 [2001:db8::10]:443
  100,000 connections, 123.4 new/s, 2,000,000 in total, 0 refused
  BACKEND                  ADDRESS                                         STATE     WEIGHT  CONNECTIONS  MAX   SHARE    TOTAL  CHECK
  erlang-1                 198.51.100.101:8888                             up           100       33,333    -  33.3 %  700,000
  erlang-with-a-long-name  [2001:db8:1234:5678:9abc:def0:1234:5678]:65535  draining       0       33,333    -   0.0 %  700,000
)");
}

TEST(StatusText, ColoursStatesWarningsAndFullPools) {
  auto status = test::example_status();
  status.warnings = {"careful"};
  status.services[0].backends[0].state = "down";
  status.services[0].snat->worst_use = 0.9;
  const std::string text = status_text(control::to_json(status), true);
  for (const char* part :
       {"\x1b[33mwarning: careful\x1b[0m", "\x1b[31mdown\x1b[0m", "\x1b[31m90.0 %\x1b[0m", "\x1b[32mactive\x1b[0m"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

TEST(StatusText, NothingToShowIsSaid) {
  auto status = test::example_status();
  status.services[0].backends.clear();
  EXPECT_NE(status_text(control::to_json(status), false).find("  no backends\n"), std::string::npos);
  status.services.clear();
  EXPECT_NE(status_text(control::to_json(status), false).find("\nno services\n"), std::string::npos);
}

TEST(StatusText, AnotherShapeThrows) {
  for (const char* document : {"{}", R"({"node": 5})"})
    EXPECT_ANY_THROW((void)status_text(boost::json::parse(document).as_object(), false));
}

control::FlowView example_flow() {
  control::FlowView flow;
  flow.service = "chat";
  flow.backend = "erlang-1";
  flow.protocol = "tcp";
  flow.client = *netlink::Endpoint::parse("192.0.2.7:40000");
  flow.vip = *netlink::Endpoint::parse("203.0.113.10:443");
  flow.snat = *netlink::Endpoint::parse("198.51.100.16:1024");
  flow.server = *netlink::Endpoint::parse("198.51.100.101:8888");
  flow.state = "ESTABLISHED";
  flow.expires = std::chrono::seconds(4199);
  flow.age = std::chrono::seconds(61);
  return flow;
}

TEST(FlowsText, ShowsBothSides) {
  auto untranslated = example_flow();
  untranslated.snat = untranslated.client;
  untranslated.age.reset();
  EXPECT_EQ(
      flows_text(control::to_json(std::vector<control::FlowView>{example_flow(), untranslated}, true), false),
      "SERVICE  PROTO  CLIENT           VIP               SNAT                SERVER               BACKEND   STATE              AGE"
      "    EXPIRES\n"
      "chat     tcp    192.0.2.7:40000  203.0.113.10:443  198.51.100.16:1024  198.51.100.101:8888  erlang-1  ESTABLISHED  1 min 1 s"
      "  1 h 9 min\n"
      "chat     tcp    192.0.2.7:40000  203.0.113.10:443  -                   198.51.100.101:8888  erlang-1  ESTABLISHED          -"
      "  1 h 9 min\n"
      "… and more; raise --limit or narrow the list down\n");
  EXPECT_EQ(flows_text(control::to_json(std::vector<control::FlowView>{}, false), false), "no flows\n");
}

TEST(EventsText, ALineEach) {
  const std::vector<control::NodeEvent> events{{1, {}, "started", "", "", "2 services"},
                                               {2, {}, "backend-down", "chat", "erlang-1", ""}};
  EXPECT_EQ(events_text(control::to_json(events), false),
            "1970-01-01T00:00:00Z  started: 2 services\n"
            "1970-01-01T00:00:00Z  backend-down  chat/erlang-1\n");
}

}  // namespace
}  // namespace wsl4::ctl
