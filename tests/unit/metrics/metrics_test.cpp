#include "daemon/metrics/metrics.h"

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/support/fake_node.h"

namespace wsl4::metrics {
namespace {

TEST(Metrics, AreDeclaredAsPrometheusAdvises) {
  std::set<std::string_view> names;
  for (const Declaration& declaration : declarations()) {
    const std::string name(declaration.name);
    EXPECT_TRUE(names.insert(declaration.name).second) << name << " is declared twice";
    EXPECT_TRUE(std::regex_match(name, std::regex("wsl4_[a-z0-9_]+"))) << name;
    EXPECT_EQ(name.ends_with("_total"), declaration.counter) << name;
    EXPECT_TRUE(declaration.help.ends_with('.')) << name;
  }
}

// The text format 0.0.4: HELP and TYPE once before the samples of each metric, label values in quotes, one number at the end.
TEST(Metrics, FollowTheTextFormat) {
  const std::regex help(R"(# HELP (\w+) .+)"), type(R"(# TYPE (\w+) (counter|gauge))");
  const std::regex sample(R"re((\w+)(\{(\w+="([^"\\\n]|\\["\\n])*",?)+\})? -?[0-9.]+(e[+-]?[0-9]+)?)re");
  auto status = test::example_status();
  status.ha = test::example_ha();
  std::istringstream text(render(status));
  std::map<std::string, int> types, helps;
  std::set<std::string> seen;
  std::string line, current;
  while (std::getline(text, line)) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      EXPECT_EQ(++helps[match[1]], 1) << line;
    } else if (std::regex_match(line, match, type)) {
      current = match[1];
      EXPECT_EQ(++types[current], 1) << line;
    } else {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_EQ(match[1], current) << line;
      EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << "twice: " << line;
    }
  }
  EXPECT_EQ(types.size(), declarations().size());
}

TEST(Metrics, StandInTheManualAsDeclared) {
  std::ifstream file(WSL4_SOURCE_DIR "/packaging/man/wsl4d.8");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  std::map<std::string, std::string> told, declared;
  const std::regex entry("\\.TP\n\\.B (wsl4_\\w+)\n(.*)\n");
  for (std::sregex_iterator match(page.begin(), page.end(), entry), end; match != end; ++match)
    told[(*match)[1]] = std::regex_replace(std::string((*match)[2]), std::regex(R"(\\-)"), "-");
  for (const Declaration& declaration : declarations()) declared.emplace(declaration.name, declaration.help);
  EXPECT_EQ(told, declared);
}

TEST(Metrics, TellWhatTheStatusTells) {
  const std::string text = render(test::example_status());
  for (const char* line :
       {"wsl4_backend_connections{service=\"chat\",backend=\"erlang-1\",address=\"198.51.100.101:8888\"} 33333\n",
        "wsl4_backend_connections_total{service=\"chat\",backend=\"erlang-1\",address=\"198.51.100.101:8888\"} 700000\n",
        "wsl4_service_refused_total{service=\"chat\",reason=\"no_backend\"} 7\n",
        "wsl4_snat_address_connections{service=\"chat\",pool=\"main\",address=\"198.51.100.16\"} 6250\n",
        "wsl4_snat_address_ports_used{service=\"chat\",pool=\"main\",address=\"198.51.100.16\"} 6260\n",
        "wsl4_snat_pairs_full{service=\"chat\",pool=\"main\"} 0\n",
        "wsl4_service_health{service=\"chat\",type=\"websocket\"} 1\n",
        "wsl4_backend_connections_max{service=\"chat\",backend=\"erlang-1\",address=\"198.51.100.101:8888\"} 60000\n",
        "wsl4_backend_check_ok{service=\"chat\",backend=\"erlang-1\",address=\"198.51.100.101:8888\"} 1\n",
        "wsl4_backend_check_age_seconds{service=\"chat\",backend=\"erlang-1\",address=\"198.51.100.101:8888\"} 1.1\n",
        "wsl4_backend_changed{service=\"chat\",backend=\"erlang-1\",address=\"198.51.100.101:8888\"} 0\n",
        "wsl4_snat_ports_capacity{service=\"chat\",pool=\"main\"} 3145680\n",
        "wsl4_snat_worst_use_ratio{service=\"chat\",pool=\"main\"} 0.033\n",
        "wsl4_conntrack_entries 100321\n",
        "wsl4_conntrack_entries_max 4000000\n",
        "wsl4_ruleset_in_sync 1\n",
        "wsl4_uptime_seconds 12\n",
        "wsl4_build_info{version=\"0.1.0\",kernel=\"6.12.5\"} 1\n",
        "wsl4_role{role=\"active\"} 1\n",
        "wsl4_role{role=\"init\"} 0\n",
        "wsl4_role{role=\"standby\"} 0\n",
        "wsl4_role{role=\"fault\"} 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  }
}

// A value that is not known has no sample, rather than one that looks like a figure.
TEST(Metrics, WhatIsNotKnownIsLeftOut) {
  auto status = test::example_status();
  EXPECT_EQ(render(status).find("\nwsl4_backend_empty_in_seconds{"), std::string::npos);
  EXPECT_EQ(render(status).find("\nwsl4_snat_full_in_seconds{"), std::string::npos);
  status.services[0].backends[0].check.reset();
  status.services[0].backends[0].empty_in = std::chrono::seconds(90);
  status.services[0].snat->full_in = std::chrono::hours(2);
  const std::string text = render(status);
  EXPECT_EQ(text.find("\nwsl4_backend_check_ok{"), std::string::npos);
  EXPECT_NE(text.find("address=\"198.51.100.101:8888\"} 90\n"), std::string::npos);
  EXPECT_NE(text.find("wsl4_snat_full_in_seconds{service=\"chat\",pool=\"main\"} 7200\n"), std::string::npos);
}

TEST(Metrics, TellWhoJoined) {
  auto status = test::example_status();
  EXPECT_EQ(render(status).find("\nwsl4_service_discovery_failing{"), std::string::npos) << "nothing is looked up";
  status.services[0].discovery = control::DiscoveryStatus{"dns:x:80", true, "", {}};
  status.services[0].backends[0].source = "registered";
  status.services[0].backends[0].lease = std::chrono::seconds(23);
  const std::string text = render(status);
  for (const char* line : {"wsl4_service_discovery_failing{service=\"chat\"} 1\n", "address=\"198.51.100.101:8888\"} 23\n",
                           "wsl4_service_backends{service=\"chat\",source=\"registered\"} 1\n",
                           "wsl4_service_backends{service=\"chat\",source=\"file\"} 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

TEST(Metrics, TellOfThePair) {
  auto status = test::example_status();
  status.ha = test::example_ha();
  status.ha.sync.pending = 7;
  status.ha.sync.repairs = 2;
  const std::string text = render(status);
  for (const char* line : {"wsl4_role_changes_total 1\n",
                           "wsl4_peer_connected 1\n",
                           "wsl4_sync_state{state=\"disconnected\"} 0\n",
                           "wsl4_sync_state{state=\"bulk\"} 0\n",
                           "wsl4_sync_state{state=\"synced\"} 1\n",
                           "wsl4_sync_flows 100000\n",
                           "wsl4_sync_pending 7\n",
                           "wsl4_sync_lag_seconds 0.0012\n",
                           "wsl4_sync_sent_flows_total 1\n",
                           "wsl4_sync_received_flows_total 0\n",
                           "wsl4_sync_sent_bytes_total 4400000\n",
                           "wsl4_sync_received_bytes_total 2000\n",
                           "wsl4_sync_resyncs_total 0\n",
                           "wsl4_sync_repairs_total 2\n",
                           "wsl4_sync_refused_total 0\n",
                           "wsl4_link_connections_total 2\n",
                           "wsl4_link_refusals_total{reason=\"unknown_key\"} 4\n",
                           "wsl4_adverts_sent_total 120\n",
                           "wsl4_adverts_received_total 3\n",
                           "wsl4_adverts_rejected_total{reason=\"ttl\"} 2\n",
                           "wsl4_adverts_rejected_total{reason=\"vrid\"} 0\n",
                           "wsl4_takeover_phase_seconds{step=\"guard-drop\"} 8.7e-05\n",
                           "wsl4_takeover_phase_seconds{step=\"add-addresses\"} 0.00235\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  }
}

TEST(Metrics, OfAPairAreNotASingleNodes) {
  const std::string text = render(test::example_status());
  for (const char* metric :
       {"wsl4_role_changes_total", "wsl4_peer_", "wsl4_sync_", "wsl4_link_", "wsl4_adverts_", "wsl4_takeover_"})
    EXPECT_EQ(text.find(std::string("\n") + metric), std::string::npos) << metric;
}

TEST(Metrics, EscapeLabelValues) {
  auto status = test::example_status();
  status.services[0].name = "a\"b\\c\nd";
  EXPECT_NE(render(status).find(R"(service="a\"b\\c\nd")"), std::string::npos);
}

TEST(Metrics, WithoutServicesAreStillValid) {
  EXPECT_NE(render(control::Status{}).find("wsl4_ruleset_in_sync 0\n"), std::string::npos);
}

}  // namespace
}  // namespace wsl4::metrics
