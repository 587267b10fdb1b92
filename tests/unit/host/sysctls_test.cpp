#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/host/host.h"
#include "tests/support/desired_states.h"
#include "tests/support/fake_sysctls.h"

namespace wsl4::host {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::Pair;

constexpr const char* kEstablished = "net/netfilter/nf_conntrack_tcp_timeout_established";

config::Service service(const char* listen, milliseconds idle_timeout) {
  config::Service service;
  service.listen = {test::endpoint(listen)};
  service.idle_timeout = idle_timeout;
  return service;
}

TEST(WantedSysctls, NothingWithoutAService) { EXPECT_THAT(wanted_sysctls({}), IsEmpty()); }

TEST(WantedSysctls, ForwardTheFamiliesInUse) {
  config::Config config;
  config.services = {service("198.18.0.1:80", hours(1))};
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/ipv4/ip_forward", "1")));
  EXPECT_THAT(wanted_sysctls(config), Not(Contains(Key("net/ipv6/conf/all/forwarding"))));
  config.services = {service("[2001:db8::1]:80", hours(1))};
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/ipv6/conf/all/forwarding", "1")));
  EXPECT_THAT(wanted_sysctls(config), Not(Contains(Key("net/ipv4/ip_forward"))));
}

TEST(WantedSysctls, WhatLiveFlowsNeed) {
  config::Config config;
  config.services = {service("198.18.0.1:80", hours(1))};
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/netfilter/nf_conntrack_tcp_loose", "0")));
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/netfilter/nf_conntrack_tcp_be_liberal", "1")));
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/netfilter/nf_conntrack_events", "1")));
}

TEST(WantedSysctls, NoOtherCardAnswersForTheVirtualMac) {
  config::Config config;
  config.services = {service("198.18.0.1:80", hours(1))};
  config.ha.emplace();
  EXPECT_THAT(wanted_sysctls(config), Not(Contains(Key("net/ipv4/conf/all/arp_ignore"))));
  config.ha->virtual_mac = true;
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/ipv4/conf/all/arp_ignore", "1")));
  EXPECT_THAT(wanted_sysctls(config), Contains(Pair("net/ipv4/conf/all/arp_announce", "2")));
}

TEST(WantedSysctls, TheLongestIdleTimeoutDecides) {
  config::Config config;
  config.services = {service("198.18.0.1:80", hours(1)), service("198.18.0.2:80", hours(2)),
                     service("198.18.0.3:80", milliseconds(1500))};
  EXPECT_EQ(wanted_sysctls(config).at(kEstablished), "7800");
  config.services.front().idle_timeout = milliseconds(0);
  EXPECT_EQ(wanted_sysctls(config).at(kEstablished), "1600000");
  config.services.front().idle_timeout = hours(24 * 18);  // the longest that the file may have (load_test.cpp)
  EXPECT_EQ(wanted_sysctls(config).at(kEstablished), "1555800");
}

TEST(ApplySysctls, SetsWhatDiffersAndKeepsTheOldValue) {
  test::FakeSysctls sysctls({{"a", "0"}, {"b", "1"}});
  const auto changes = apply_sysctls(sysctls, {{"a", "1"}, {"b", "1"}});
  EXPECT_THAT(changes.old_values, ElementsAre(Pair("a", "0")));
  EXPECT_THAT(changes.failures, IsEmpty());
  EXPECT_EQ(sysctls.values.at("a"), "1");
}

TEST(ApplySysctls, NamesWhatCannotBeSet) {
  test::FakeSysctls sysctls({{"a", "0"}, {"b", "0"}});
  sysctls.refused = {"a"};
  const auto changes = apply_sysctls(sysctls, {{"a", "1"}, {"b", "1"}, {"missing", "1"}});
  EXPECT_THAT(changes.failures, ElementsAre("sysctl a cannot be set", "sysctl missing cannot be set"));
  EXPECT_THAT(changes.old_values, ElementsAre(Pair("b", "0")));
}

TEST(RestoreSysctls, GivesBackWhatIsAsWsl4SetIt) {
  test::FakeSysctls sysctls({{"a", "1"}, {"b", "0"}, {"c", "7"}, {"d", "1"}});
  const auto result = restore_sysctls(sysctls, {{"a", {"0", "1"}}, {"b", {"0", "1"}}, {"c", {"0", "1"}}, {"d", {"0", ""}}});
  EXPECT_EQ(result.restored, 2U);
  EXPECT_THAT(result.left, ElementsAre("sysctl c is 7, not 1 as wsl4 set it: left so"));
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_THAT(sysctls.values, ElementsAre(Pair("a", "0"), Pair("b", "0"), Pair("c", "7"), Pair("d", "0")));
}

TEST(RestoreSysctls, GoesOnAfterAFailure) {
  test::FakeSysctls sysctls({{"a", "1"}, {"b", "1"}});
  sysctls.refused = {"a"};
  const auto result = restore_sysctls(sysctls, {{"a", {"0", "1"}}, {"b", {"0", "1"}}, {"gone", {"0", "1"}}});
  EXPECT_THAT(result.failures, ElementsAre("sysctl a cannot be set", "sysctl gone cannot be set"));
  EXPECT_EQ(result.restored, 1U);
}

}  // namespace
}  // namespace wsl4::host
