#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/host/check.h"
#include "tests/support/desired_states.h"
#include "tests/support/fake_sysctls.h"
#include "tests/unit/host/finding.h"

namespace wsl4::host {
namespace {

using netlink::nft::Hook;
using netlink::rtnl::Neighbour;
using netlink::rtnl::NeighbourState;
using testing::ElementsAre;
using testing::IsEmpty;
using Severity = Finding::Severity;

/// A machine with nothing wrong, and a configuration that it can serve.
class Check : public testing::Test {
 protected:
  Check() {
    config_.pools = {{"main", {test::address("198.18.1.1"), test::address("198.18.1.2")}, 1, 65535, ""}};
    config::Service service;
    service.name = "chat";
    service.listen = {test::endpoint("198.18.0.10:443")};
    service.pool = "main";
    service.backends = {{"b1", test::endpoint("198.18.2.1:80"), 100, 0, ""}, {"b2", test::endpoint("198.18.2.2:80"), 100, 0, ""}};
    config_.services = {service};

    machine_.kernel = {6, 17};
    machine_.links = {{1, "lo", true, true, true, {}}, {2, "eth0", true, true, false, {}}, {3, "eth1.5", true, true, false, {}}};
    machine_.addresses = {{2, test::address("198.18.0.1"), 24, 0}, {3, test::address("198.18.1.200"), 24, 0}};
    machine_.base_chains.emplace();
    sysctls_.values = wanted_sysctls(config_);
    sysctls_.values["net/netfilter/nf_conntrack_max"] = "1000000";
    sysctls_.values["net/netfilter/nf_conntrack_buckets"] = "262144";
    sysctls_.values["net/ipv4/neigh/default/gc_thresh3"] = "1024";
    for (const std::string interface : {"all", "eth0", "eth1.5"}) {
      const auto folder = "net/ipv4/conf/" + interface + "/";
      sysctls_.values[folder + "rp_filter"] = "0";
      sysctls_.values[folder + "arp_ignore"] = "1";
      sysctls_.values[folder + "arp_announce"] = "2";
    }
  }

  std::vector<Finding> findings() { return judge(config_, machine_, sysctls_); }

  config::Config config_;
  Machine machine_;
  test::FakeSysctls sysctls_;
};

TEST_F(Check, AMachineInOrderHasNoFinding) { EXPECT_THAT(findings(), IsEmpty()); }

TEST_F(Check, ANodeOfAPairNeedsItsInterfacesAndItsAddress) {
  auto& ha = config_.ha.emplace();
  ha.listen = test::endpoint("198.18.0.1:4440");
  ha.peer = test::endpoint("198.18.0.2:4440");
  ha.interface = "eth0";
  EXPECT_THAT(findings(), IsEmpty());
  ha.track = {"eth0", "eht1"};
  ha.interface = "eth7";
  ha.listen = test::endpoint("198.18.0.3:4440");
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kError, "there is no interface eth7", "ip link"),
                                      finding(Severity::kError, "ha.track: there is no interface eht1", "ip link"),
                                      finding(Severity::kError, "198.18.0.3 is no address of this machine", "correct it")));
}

TEST_F(Check, AdvertsNeedAnAddressThatTheyCanComeFrom) {
  auto& ha = config_.ha.emplace();
  ha.listen = test::endpoint("198.18.0.1:4440");
  ha.interface = "eth0";
  ha.unicast_peer = test::address("198.18.7.2");
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kError, "ha.unicast_peer: 198.18.7.2 is in no network of eth0", "correct it")));
  ha.unicast_peer = test::address("198.18.0.2");
  EXPECT_THAT(findings(), IsEmpty());
  machine_.addresses.push_back({2, test::address("2001:db8::1"), 64, 0});
  ha.unicast_peer = test::address("2001:db8::2");
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kError, "ha.unicast_peer: adverts to it would be IPv6, and no VIP is", "correct it")));
  ha.unicast_peer.reset();
  ha.interface = "lo";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kError, "lo has no address of its own", "give the interface")));
}

TEST_F(Check, AListenerMayWaitForAVipButNotForAStrangersAddress) {
  for (const auto* listen : {"127.0.0.1:9443", "0.0.0.0:9443", "[::]:9443", "198.18.0.1:9443", "198.18.0.10:9443"}) {
    machine_.addresses.push_back({1, test::address("127.0.0.1"), 8, 0});
    config_.control.register_listen = test::endpoint(listen);
    EXPECT_THAT(findings(), IsEmpty()) << listen;
  }
  config_.control.listen = config_.control.register_listen = test::endpoint("198.18.0.77:9443");
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "control.listen: 198.18.0.77 is no address", "correct it"),
                                      finding(Severity::kWarning, "control.register: 198.18.0.77 is no address", "correct it")));
}

TEST_F(Check, NamesOfNoServiceInTheTokenFileAreWarnings) {
  machine_.strangers = {"/t:1: there is no service \"chta\""};
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "control.token_file: /t:1: there is no service \"chta\"",
                                              "correct the name, or define the service")));
}

TEST_F(Check, AVirtualMacNeedsMacvlansOnEthernetAndItsAddressForItself) {
  auto& ha = config_.ha.emplace();
  ha.listen = test::endpoint("198.18.0.1:4440");
  ha.interface = "eth0";
  ha.virtual_mac = true;
  sysctls_.values.merge(wanted_sysctls(config_));
  sysctls_.values["net/ipv4/conf/all/arp_ignore"] = "1";
  machine_.links[1].mac = machine_.links[2].mac = {2, 0, 0, 0, 0, 1};
  machine_.knows_macvlan = true;
  EXPECT_THAT(findings(), IsEmpty());
  machine_.links.push_back({.index = 4, .name = "wsl4-51-2", .mac = {0, 0, 0x5e, 0, 1, 51}, .kind = "macvlan"});
  EXPECT_THAT(findings(), IsEmpty()) << "ours";

  machine_.links.back().kind = "dummy";
  machine_.links[1].port = true;
  machine_.links[2].mac.clear();
  machine_.knows_macvlan = false;
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kError, "this kernel has no macvlan interfaces", "modprobe macvlan"),
                          finding(Severity::kError, "eth0 is a port of a bridge", "set `interface`"),
                          finding(Severity::kError, "eth1.5 is no Ethernet interface", "set `interface`"),
                          finding(Severity::kError, "wsl4-51-2 is not wsl4's, and its name is needed", "rename"),
                          finding(Severity::kError, "wsl4-51-2 has the MAC address of virtual router 51 already", "another")));
}

TEST_F(Check, AnOldKernelIsAnError) {
  machine_.kernel = {5, 15};
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kError, "kernel 5.15 is too old", "apt install")));
}

TEST_F(Check, WhatDebiansKernelLacksIsNamed) {
  machine_.kernel = {6, 1};
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kNote, "TIME_WAIT", "kernel 6.5"), finding(Severity::kNote, "owned", "kernel 6.9"),
                          finding(Severity::kNote, "miss a map element", "kernel 6.17")));
}

TEST_F(Check, ASettingThatDiffersIsNamedWithItsCommand) {
  sysctls_.values["net/ipv4/ip_forward"] = "0";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kNote, "net/ipv4/ip_forward is 0", "sysctl -w net/ipv4/ip_forward=1")));
}

TEST_F(Check, ConnectionTrackingThatIsNotLoadedYetIsOneWarning) {
  std::erase_if(sysctls_.values, [](const auto& setting) { return setting.first.starts_with("net/netfilter/"); });
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kNote, "connection tracking is not loaded", "modprobe nf_conntrack")));
}

TEST_F(Check, AKernelWithoutASettingIsAnError) {
  sysctls_.values.erase("net/netfilter/nf_conntrack_timestamp");
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kError, "nf_conntrack_timestamp is not there", "use a kernel that has it")));
}

TEST_F(Check, StrictReversePathFiltersAreNamedByInterface) {
  sysctls_.values["net/ipv4/conf/eth1.5/rp_filter"] = "1";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "on eth1.5", "sysctl -w net/ipv4/conf/eth1.5/rp_filter=2")));
}

TEST_F(Check, TheStricterOfAllAndOwnReversePathFilterCounts) {
  sysctls_.values["net/ipv4/conf/all/rp_filter"] = "1";
  sysctls_.values["net/ipv4/conf/eth0/rp_filter"] = "2";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "on eth1.5", "rp_filter=2")));
  sysctls_.values["net/ipv4/conf/all/rp_filter"] = "2";
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, InterfacesThatAnswerArpForEachOtherAreNamed) {
  const auto arp = [](const std::string& interface, const std::string& setting) {
    return "net/ipv4/conf/" + interface + "/" + setting;
  };
  sysctls_.values[arp("all", "arp_ignore")] = sysctls_.values[arp("all", "arp_announce")] = "0";
  EXPECT_THAT(findings(), IsEmpty());
  sysctls_.values[arp("eth0", "arp_ignore")] = "0";
  sysctls_.values[arp("eth1.5", "arp_announce")] = "0";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "eth0 answers ARP",
                                              "sysctl -w net/ipv4/conf/eth0/arp_ignore=1 net/ipv4/conf/eth0/arp_announce=2"),
                                      finding(Severity::kWarning, "eth1.5 answers ARP", "net/ipv4/conf/eth1.5/arp_announce=2")));
  config_.pools[0].addresses = {test::address("198.18.0.20")};
  EXPECT_THAT(findings(), IsEmpty()) << "all on eth0";
  sysctls_.values[arp("all", "arp_ignore")] = "1";
  sysctls_.values[arp("all", "arp_announce")] = "1";
  config_.pools[0].interface = "eth1.5";
  EXPECT_THAT(findings(), IsEmpty()) << "what is set for all interfaces counts";
}

TEST_F(Check, InterfacesThatLoseTheirLearntDefaultRouteAreNamed) {
  sysctls_.values["net/ipv6/conf/lo/accept_ra"] = "1";
  sysctls_.values["net/ipv6/conf/eth0/accept_ra"] = "1";
  sysctls_.values["net/ipv6/conf/eth1.5/accept_ra"] = "2";
  EXPECT_THAT(findings(), IsEmpty()) << "no service listens on IPv6, so nothing will be forwarded";
  config_.services[0].listen.push_back(test::endpoint("[2001:db8::10]:443"));
  machine_.addresses.push_back({2, test::address("2001:db8::1"), 64, 0});
  sysctls_.values.merge(wanted_sysctls(config_));
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kWarning, "eth0 has accept_ra=1", "sysctl -w net/ipv6/conf/eth0/accept_ra=2")));
  sysctls_.values["net/ipv6/conf/eth0/accept_ra"] = "0";
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, ABackendOnThisMachineIsAnError) {
  machine_.addresses.push_back({1, test::address("127.0.0.1"), 8, 0});
  config_.services[0].backends[0].address = test::endpoint("198.18.0.1:80");
  config_.services[0].backends[1].address = test::endpoint("127.0.0.2:80");
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kError, "service chat, backend b1: 198.18.0.1 is an address of this machine",
                                  "another machine"),
                          finding(Severity::kError, "backend b2: 127.0.0.2", "another machine")));
}

TEST_F(Check, AProgramThatServesTheVipIsNamed) {
  machine_.sockets = {{test::endpoint("198.18.0.10:443"), {true, 2000}},
                      {test::endpoint("198.18.0.10:22"), {false, 1}},
                      {test::endpoint("0.0.0.0:443"), {true, 0}}};
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kWarning,
                                  "service chat: a program on this machine listens on 198.18.0.10:443 and has 2,000 connections",
                                  "ss -tnap sport = :443")));
  machine_.sockets[test::endpoint("198.18.0.10:443")] = {false, 3};
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "uses 198.18.0.10:443 and has 3 connections", "ss -tnap")))
      << "those of the listener on 0.0.0.0";
  config_.services[0].protocol = netlink::Protocol::kUdp;
  for (const auto& [name, value] : wanted_sysctls(config_)) sysctls_.values[name] = value;
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, DockersForwardPolicyIsNamed) {
  machine_.base_chains = {{"ip", "filter", "FORWARD", Hook::Point::kForward, 0, true, false}};
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kWarning, "Docker", "iptables -I FORWARD -m conntrack --ctstate DNAT -j ACCEPT")));
}

TEST_F(Check, AForwardChainThatAcceptsTranslatedFlowsIsInOrder) {
  machine_.base_chains = {{"ip", "filter", "FORWARD", Hook::Point::kForward, 0, true, true}};
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, OtherForwardPoliciesAreNamed) {
  machine_.base_chains = {{"inet", "firewall", "passing", Hook::Point::kForward, 0, true, false},
                          {"inet", "firewall", "in", Hook::Point::kInput, 0, true, false},
                          {"inet", "open", "passing", Hook::Point::kForward, 0, false, false}};
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "inet firewall passing",
                                              "nft insert rule inet firewall passing ct status dnat accept")));
}

TEST_F(Check, AMissingInterfaceIsAnErrorOnce) {
  config_.pools[0].interface = "eth7";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kError, "no interface eth7", "ip link")));
}

TEST_F(Check, AddressesThatNoInterfaceCoversAreAnError) {
  config_.pools[0].addresses.push_back(test::address("198.19.9.9"));
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kError, "198.19.9.9", "interface")));
  config_.pools[0].addresses.push_back(test::address("198.19.9.10"));
  config_.services[0].listen.push_back(test::endpoint("198.19.8.1:443"));
  EXPECT_THAT(findings(),
              ElementsAre(finding(Severity::kError, "no interface has a prefix that covers 198.19.8.1, 198.19.9.9, 198.19.9.10",
                                  "interface")));
  config_.addresses.manage = false;
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, AnAddressOnLoopbackCoversOnlyItself) {
  machine_.addresses[0] = {1, test::address("198.18.0.1"), 24, 0};
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kError, "198.18.0.10", "interface")));
  machine_.addresses[0].address = test::address("198.18.0.10");
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, TooFewConntrackEntriesForThePools) {
  sysctls_.values["net/netfilter/nf_conntrack_max"] = "65536";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "nf_conntrack_max is 65536",
                                              "sysctl -w net.netfilter.nf_conntrack_max=262140")));
}

TEST_F(Check, TooFewConntrackBuckets) {
  sysctls_.values["net/netfilter/nf_conntrack_buckets"] = "16384";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "nf_conntrack_buckets is 16384", "hashsize")));
}

TEST_F(Check, AShortNeighbourTable) {
  const auto neighbour = [](const std::string& address, NeighbourState state) {
    return Neighbour{2, test::address(address), {}, state};
  };
  machine_.addresses.push_back({2, test::address("198.18.2.100"), 24, 0});  // both backends are on this network now
  machine_.neighbours = {neighbour("198.18.0.254", NeighbourState::kReachable), neighbour("198.18.2.1", NeighbourState::kStale),
                         neighbour("198.18.0.99", NeighbourState::kPermanent), neighbour("2001:db8::9", NeighbourState::kStale)};
  sysctls_.values["net/ipv4/neigh/default/gc_thresh3"] = "3";
  EXPECT_THAT(findings(), IsEmpty()) << "a gateway and two backends";
  sysctls_.values["net/ipv4/neigh/default/gc_thresh3"] = "2";
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "gc_thresh3 is 2: too few for the 3", "gc_thresh3=8")));
  sysctls_.values.erase("net/ipv4/neigh/default/gc_thresh3");
  EXPECT_THAT(findings(), IsEmpty()) << "only the initial namespace has it";
}

TEST_F(Check, BackendsBehindAGatewayAreNoNeighbours) {
  machine_.neighbours = {{2, test::address("198.18.0.254"), {}, NeighbourState::kReachable}};
  sysctls_.values["net/ipv4/neigh/default/gc_thresh3"] = "1";
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Check, WhatCannotBeSeenIsAFindingItself) {
  machine_.base_chains.reset();
  machine_.findings = {{Severity::kWarning, "foreign nftables chains cannot be looked at", "as root"}};
  EXPECT_THAT(findings(), ElementsAre(finding(Severity::kWarning, "cannot be looked at", "root")));
}

TEST_F(Check, TheMostThatAFloodOfSynsCanTakeIsNoted) {
  sysctls_.values["net/netfilter/nf_conntrack_tcp_timeout_syn_sent"] = "120";
  sysctls_.values["net/netfilter/nf_conntrack_tcp_timeout_syn_recv"] = "60";
  const auto note = flood_cost(sysctls_);
  ASSERT_TRUE(note);
  EXPECT_THAT(*note, finding(Severity::kNote,
                             "all 1000000 entries of connection tracking, 381 MiB of kernel memory; each SYN has one for "
                             "at most 120 s",
                             "nf_conntrack_tcp_timeout_syn_sent"));
  sysctls_.values.erase("net/netfilter/nf_conntrack_max");
  EXPECT_FALSE(flood_cost(sysctls_));
}

TEST_F(Check, ErrorsComeFirst) {
  machine_.kernel = {6, 12};
  config_.pools[0].interface = "eth7";
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].severity, Severity::kError);
}

}  // namespace
}  // namespace wsl4::host
