// Where does this packet go?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan.h"
#include "netlink/tcp_probe.h"
#include "tests/support/desired_states.h"
#include "tests/support/packet_tracer.h"

namespace wsl4::dataplane {
namespace {

using netlink::Endpoint;
using netlink::Protocol;
using netlink::nft::CtState;
using test::endpoint;
using test::Packet;
using test::PacketTracer;
using test::Trace;
using testing::Contains;
using testing::ElementsAre;

using End = Trace::End;
constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

/// VIPs and pool addresses are addresses of the balancer.
PacketTracer tracer(const service::DesiredState& state) {
  std::set<netlink::IpAddress> local{test::address("198.18.0.99")};
  for (const auto& [name, service] : state.services)
    for (const auto& listen : service.listen) local.insert(listen.address);
  for (const auto& [name, pool] : state.pools) local.insert(pool.addresses.begin(), pool.addresses.end());
  return {plan(state), local};
}

Packet packet(std::string_view from, std::string_view to) { return {.from = endpoint(from), .to = endpoint(to)}; }
Packet datagram(std::string_view from, std::string_view to) {
  auto result = packet(from, to);
  result.protocol = Protocol::kUdp;
  return result;
}
Packet stray(std::string_view from, std::string_view to, std::uint8_t flags = kAck) {
  auto result = packet(from, to);
  result.tcp_flags = flags;
  result.state = CtState::kInvalid;
  return result;
}

class Plan : public testing::Test {
 protected:
  service::DesiredState state_ = test::two_services();
  service::ServiceState& chat_ = state_.services.at("chat");
  service::ServiceState& dns_ = state_.services.at("dns");
};

// ---- new flows ----------------------------------------------------------------------------------------------------

TEST_F(Plan, ANewFlowGoesToABackendFromAPoolAddressAndIsMarked) {
  const auto trace = tracer(state_).arrive(packet("198.19.0.1:1000", "198.18.0.10:443"));
  EXPECT_EQ(trace.end, End::kForwarded);
  EXPECT_EQ(trace.to, endpoint("198.18.2.1:8888"));
  EXPECT_EQ(trace.from.address, test::address("198.18.1.1"));
  EXPECT_EQ(trace.port_min, 1);
  EXPECT_EQ(trace.port_max, 65535);
  EXPECT_EQ(state_.mark.to_id(trace.mark), 1U);
  EXPECT_FALSE(state_.mark.is_closing(trace.mark));
  EXPECT_EQ(trace.events, 0x14U);
  EXPECT_THAT(trace.counters, ElementsAre("service/chat", "backend/chat/b1"));
}

TEST_F(Plan, ANewIpv6FlowStaysIpv6) {
  const auto trace = tracer(state_).arrive(packet("[2001:db8:9::1]:1000", "[2001:db8::10]:443"));
  EXPECT_EQ(trace.end, End::kForwarded);
  EXPECT_EQ(trace.to, endpoint("[2001:db8:2::1]:8888"));
  EXPECT_EQ(trace.from.address, test::address("2001:db8:1::1"));
}

TEST_F(Plan, ModeDnatKeepsTheClientsAddress) {
  const auto trace = tracer(state_).arrive(datagram("198.19.0.1:1000", "198.18.0.53:53"));
  EXPECT_EQ(trace.end, End::kForwarded);
  EXPECT_EQ(trace.to, endpoint("198.18.3.1:5353"));
  EXPECT_EQ(trace.from, endpoint("198.19.0.1:1000"));
  EXPECT_EQ(state_.mark.to_id(trace.mark), 5U);
  EXPECT_EQ(trace.events, 0x05U);
}

TEST_F(Plan, OtherBitsOfTheMarkStay) {
  auto marked = packet("198.19.0.1:1000", "198.18.0.10:443");
  marked.mark = 0xab0000cd;
  const auto trace = tracer(state_).arrive(marked);
  EXPECT_EQ(trace.mark & ~state_.mark.mask(), 0xab0000cdU);
  EXPECT_EQ(state_.mark.to_id(trace.mark), 1U);
}

TEST_F(Plan, WeightsAreMetExactlyAndEveryPoolAddressIsUsedAlikeByEachBackend) {
  chat_.backends[0].share_weight = 300;
  auto trace_it = tracer(state_);
  std::map<std::pair<Endpoint, netlink::IpAddress>, int> pairs;
  for (std::uint16_t port = 1; port <= 1600; ++port) {
    auto arriving = packet("198.19.0.1:1", "198.18.0.10:443");
    arriving.from.port = port;
    const auto trace = trace_it.arrive(arriving);
    ++pairs[{trace.to, trace.from.address}];
  }
  ASSERT_EQ(pairs.size(), 8U);  // no lockstep: each backend with each of four addresses
  for (const auto& [pair, flows] : pairs) EXPECT_EQ(flows, pair.first == endpoint("198.18.2.1:8888") ? 300 : 100);
}

TEST_F(Plan, SourceHashSendsAClientToOneBackend) {
  chat_.scheduler = config::Scheduler::kSourceHash;
  auto trace_it = tracer(state_);
  std::set<Endpoint> used;
  for (int client = 1; client <= 60; ++client) {
    const auto from = "198.19.0." + std::to_string(client);
    const auto first = trace_it.arrive(packet(from + ":1000", "198.18.0.10:443")).to;
    EXPECT_EQ(trace_it.arrive(packet(from + ":2000", "198.18.0.10:443")).to, first);
    used.insert(first);
  }
  EXPECT_EQ(used.size(), 2U);
}

TEST_F(Plan, RandomUsesEveryBackend) {
  chat_.scheduler = config::Scheduler::kRandom;
  auto trace_it = tracer(state_);
  std::set<Endpoint> used;
  for (int i = 0; i < 60; ++i) used.insert(trace_it.arrive(packet("198.19.0.1:1000", "198.18.0.10:443")).to);
  EXPECT_EQ(used.size(), 2U);
}

TEST_F(Plan, ABackendWithoutAShareGetsNoNewFlowButIsStillKnown) {
  chat_.backends[0].share_weight = 0;
  auto trace_it = tracer(state_);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(trace_it.arrive(packet("198.19.0.1:1000", "198.18.0.10:443")).to, endpoint("198.18.2.2:8888"));
  EXPECT_TRUE(plan(state_).chains.contains("backend/chat/b1"));
}

/// What the kernel does with it: tests/integration/nft_limits_test.cpp.
TEST_F(Plan, CopiesCountForALimitInAPairOnly) {
  chat_.client_connections = 2;
  EXPECT_FALSE(plan(state_).chains.contains("copies"));
  state_.gate = service::Gate::kOpen;
  const auto table = plan(state_);
  netlink::nft::KeyBuilder announced;
  announced.add_slot(netlink::TcpProber::kAnnouncement)
      .add(endpoint("198.18.0.10:443").address)
      .add(netlink::Protocol::kTcp)
      .add_port(443);
  const auto& services = table.sets.at("copies-ip").elements;
  ASSERT_EQ(services.size(), 1U) << "only those that limit connections";
  ASSERT_TRUE(services.contains(announced.take()));
  const auto& chain = std::get<netlink::nft::Verdict>(services.begin()->second.data).chain;
  const auto& rules = table.chains.at(chain).rules;
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(std::get<netlink::nft::LimitClientConnections>(rules[0].statements.at(0)).set, "clients/chat-ip");
  EXPECT_EQ(std::get<netlink::nft::Verdict>(rules[1].statements.at(0)).kind, netlink::nft::Verdict::Kind::kDrop);

  chat_.client_connections = 0;
  EXPECT_TRUE(plan(state_).sets.at("copies-ip").elements.empty());
}

TEST_F(Plan, AClientOverItsLimitIsRefusedAndCountedAndNoOther) {
  chat_.client_connections = 2;
  auto trace_it = tracer(state_);
  const auto arrive = [&](const std::string& from) { return trace_it.arrive(packet(from, "198.18.0.10:443")); };
  EXPECT_EQ(arrive("198.19.0.1:1000").end, End::kForwarded);
  EXPECT_EQ(arrive("198.19.0.1:1001").end, End::kForwarded);
  const auto third = arrive("198.19.0.1:1002");
  EXPECT_EQ(third.end, End::kReset);
  EXPECT_THAT(third.counters, ElementsAre(names::client_limit_counter(chat_)));
  EXPECT_EQ(arrive("198.19.0.2:1000").end, End::kForwarded);
}

TEST_F(Plan, OtherLimitsMeanOtherSets) {
  chat_.client_connections = 2;
  chat_.client_rate = 20;
  const auto before = plan(state_);
  chat_.client_connections = 3;
  const auto after = plan(state_);
  EXPECT_NE(before.sets.at("clients/chat-ip"), after.sets.at("clients/chat-ip"));
  EXPECT_EQ(before.sets.at("client-rates/chat-ip6"), after.sets.at("client-rates/chat-ip6"));
}

TEST_F(Plan, FullIsCountedAsFull) {
  chat_.full = {netlink::Family::kIpv4};
  chat_.dealt[netlink::Family::kIpv4] = chat_.dealt[netlink::Family::kIpv6] = {UINT32_MAX, UINT32_MAX};
  const auto trace = tracer(state_).arrive(packet("198.19.0.1:1000", "198.18.0.10:443"));
  EXPECT_EQ(trace.end, End::kReset);
  EXPECT_THAT(trace.counters, ElementsAre("service/chat", "service/chat/full"));
  const auto other = tracer(state_).arrive(packet("[2001:db8:c::1]:1000", "[2001:db8::10]:443"));
  EXPECT_THAT(other.counters, ElementsAre("service/chat", "service/chat/no-backend")) << "of the other family there is none";
}

TEST_F(Plan, DealtSlotsAreWhatTheyAreAndTheMapKeepsItsSize) {
  chat_.dealt[netlink::Family::kIpv4] = {1, UINT32_MAX, 1, 1};
  auto trace_it = tracer(state_);
  std::map<Endpoint, int> reached;
  int refused = 0;
  for (std::uint16_t port = 1; port <= 40; ++port) {
    auto arriving = packet("198.19.0.1:1", "198.18.0.10:443");
    arriving.from.port = port;
    const auto trace = trace_it.arrive(arriving);
    if (trace.end == End::kForwarded) ++reached[trace.to];
    if (trace.end == End::kReset) ++refused;
  }
  EXPECT_THAT(reached, ElementsAre(std::pair(endpoint("198.18.2.2:8888"), 30)));
  EXPECT_EQ(refused, 10);
  chat_.dealt[netlink::Family::kIpv4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
  EXPECT_EQ(plan(state_).sets.at("slots/chat-ip").slot_modulus, 4U);
}

TEST_F(Plan, WithoutAnyShareNewFlowsAreRefusedAndCounted) {
  for (auto& backend : chat_.backends) backend.share_weight = 0;
  for (auto& backend : dns_.backends) backend.share_weight = 0;
  auto trace_it = tracer(state_);
  const auto tcp = trace_it.arrive(packet("198.19.0.1:1000", "198.18.0.10:443"));
  EXPECT_EQ(tcp.end, End::kReset);
  EXPECT_THAT(tcp.counters, ElementsAre(names::new_flows_counter(chat_), names::no_backend_counter(chat_)));
  EXPECT_EQ(trace_it.arrive(packet("[2001:db8:9::1]:1000", "[2001:db8::10]:443")).end, End::kReset);
  const auto udp = trace_it.arrive(datagram("198.19.0.1:1000", "198.18.0.53:53"));
  EXPECT_EQ(udp.end, End::kUnreachable);
  EXPECT_THAT(udp.counters, ElementsAre(names::new_flows_counter(dns_), names::no_backend_counter(dns_)));
}

TEST_F(Plan, WithoutABackendAtAllNewFlowsAreRefused) {
  chat_.backends.clear();
  EXPECT_EQ(tracer(state_).arrive(packet("198.19.0.1:1000", "198.18.0.10:443")).end, End::kReset);
}

TEST_F(Plan, WithoutAPoolAddressNothingLeaves) {
  state_.pools.at("main").addresses.clear();
  const auto trace = tracer(state_).arrive(packet("198.19.0.1:1000", "198.18.0.10:443"));
  EXPECT_EQ(trace.end, End::kDropped);
  EXPECT_THAT(trace.counters, Contains(names::kNoSource));
}

// ---- a look-up that misses while a change is committed ---------------------------------------------------------------

TEST_F(Plan, OnOldKernelsASecondLookupFindsTheBackend) {
  state_.double_dnat = true;
  auto trace_it = tracer(state_);
  trace_it.miss_once("slots/chat-ip");
  const auto trace = trace_it.arrive(packet("198.19.0.1:1000", "198.18.0.10:443"));
  EXPECT_EQ(trace.end, End::kForwarded);
  EXPECT_EQ(trace.to.port, 8888);
}

TEST_F(Plan, OnNewKernelsThereIsOneLookup) { EXPECT_EQ(plan(state_).chains.at("service/chat-ip").rules.size(), 2U); }

// ---- ports in blocks ----------------------------------------------------------------------------------------------

class PlanBlocks : public Plan {
 protected:
  void SetUp() override {
    const auto dealt = test::address("198.18.1.3"), other = test::address("2001:db8:1::2");
    chat_.blocks = {{1, {{dealt, 0}, {dealt, 511}}}, {3, {{other, 4}}}};
  }
  /// As the daemon keeps it.
  PacketTracer dealing() {
    auto table = plan(state_);
    for (const auto protocol : {Protocol::kTcp, Protocol::kUdp})
      table.sets.at("dealing").elements.emplace(netlink::nft::KeyBuilder().add(protocol).take(), netlink::nft::Element{});
    return {std::move(table), {}};
  }
  static Packet new_flow() { return packet("198.19.0.1:1000", "198.18.0.10:443"); }
};

TEST_F(PlanBlocks, ANewFlowGetsAPortOfTheNextBlock) {
  auto tracer = dealing();
  const auto first = tracer.arrive(new_flow());
  EXPECT_EQ(first.end, End::kForwarded);
  EXPECT_EQ(first.to, endpoint("198.18.2.1:8888"));
  EXPECT_EQ(first.from.address, test::address("198.18.1.3"));
  EXPECT_EQ(std::pair(first.port_min, first.port_max), (std::pair<std::uint16_t, std::uint16_t>(1, 127)));
  EXPECT_EQ(state_.mark.to_id(first.mark), 1U);
  EXPECT_EQ(first.events, 0x15U) << "half-open flows are told too";
  EXPECT_THAT(first.counters, ElementsAre("service/chat", "backend/chat/b1"));

  EXPECT_EQ(tracer.arrive(new_flow()).port_max, 65535) << "the other backend's are not in blocks";
  const auto third = tracer.arrive(new_flow());
  EXPECT_EQ(std::pair(third.port_min, third.port_max), (std::pair<std::uint16_t, std::uint16_t>(65408, 65535)));
}

TEST_F(PlanBlocks, Ipv6Too) {
  const auto trace = dealing().arrive(packet("[2001:db8:9::1]:1000", "[2001:db8::10]:443"));
  EXPECT_EQ(trace.from.address, test::address("2001:db8:1::2"));
  EXPECT_EQ(std::pair(trace.port_min, trace.port_max), (std::pair<std::uint16_t, std::uint16_t>(512, 639)));
}

TEST_F(PlanBlocks, WhenNobodyDealsThemTheWholeRangeServes) {
  const auto trace = tracer(state_).arrive(new_flow());
  EXPECT_EQ(trace.end, End::kForwarded);
  EXPECT_EQ(trace.from.address, test::address("198.18.1.1"));
  EXPECT_EQ(std::pair(trace.port_min, trace.port_max), (std::pair<std::uint16_t, std::uint16_t>(1, 65535)));
  EXPECT_THAT(trace.counters, ElementsAre("service/chat", "backend/chat/b1"));
}

TEST_F(PlanBlocks, WhatIsMissedDuringACommitGetsTheWholeRange) {
  for (const auto* missed : {"blocks-tcp-ip", "blocks/chat/b1"}) {
    auto tracer = dealing();
    tracer.miss_once(missed);
    const auto trace = tracer.arrive(new_flow());
    EXPECT_EQ(trace.port_max, 65535) << missed;
    EXPECT_EQ(trace.port_min, 1) << missed;
    EXPECT_EQ(state_.mark.to_id(trace.mark), 1U) << missed;
  }
}

TEST_F(PlanBlocks, TheMapKeepsItsSizeWhateverIsDealt) {
  const auto some = plan(state_);
  chat_.blocks[1].clear();
  const auto none = plan(state_);
  EXPECT_EQ(some.sets.at("blocks/chat/b1").slot_modulus, 512U);
  EXPECT_EQ(without_elements(some.sets.at("blocks/chat/b1")), without_elements(none.sets.at("blocks/chat/b1")));
  EXPECT_EQ(some.chains, none.chains);
}

TEST_F(PlanBlocks, WithoutBlocksNothingOfThemIsThere) {
  chat_.blocks.clear();
  const auto table = plan(state_);
  EXPECT_FALSE(table.sets.contains("blocks/chat/b1"));
  EXPECT_FALSE(table.chains.contains("blocks/chat/b1"));
  EXPECT_TRUE(table.sets.at("blocks-tcp-ip").elements.empty());
}

TEST_F(Plan, AServiceThatWasMissedCostsARetransmission) {
  auto trace_it = tracer(state_);
  trace_it.miss_once("services-ip");
  EXPECT_EQ(trace_it.arrive(packet("198.19.0.1:1000", "198.18.0.10:443")).end, End::kDropped);
  EXPECT_EQ(trace_it.arrive(packet("198.19.0.1:1000", "198.18.0.10:443")).end, End::kForwarded);
}

// ---- packets that belong to no flow ----------------------------------------------------------------------------------

TEST_F(Plan, StrayPacketsToAServiceAreReset) {
  auto trace_it = tracer(state_);
  EXPECT_EQ(trace_it.arrive(stray("198.19.0.1:1000", "198.18.0.10:443")).end, End::kReset);
  EXPECT_EQ(trace_it.arrive(stray("[2001:db8:9::1]:1000", "[2001:db8::10]:443", kRst)).end, End::kReset);
}

TEST_F(Plan, StrayAnswersToAPoolAddressAreReset) {
  auto trace_it = tracer(state_);
  EXPECT_EQ(trace_it.arrive(stray("198.18.2.1:8888", "198.18.1.2:4000")).end, End::kReset);
  EXPECT_EQ(trace_it.arrive(stray("[2001:db8:2::1]:8888", "[2001:db8:1::2]:4000", kSyn | kAck)).end, End::kReset);
}

TEST_F(Plan, StrayDatagramsOfABackendDoNotBeginAFlow) {
  dns_.mode = config::Mode::kSnat;
  dns_.pool = "main";
  EXPECT_EQ(tracer(state_).arrive(datagram("198.18.3.1:5353", "198.18.1.2:4000")).end, End::kUnreachable);
}

TEST_F(Plan, InModeDnatInvalidAnswersDoNotLeaveUntranslated) {
  dns_.protocol = Protocol::kTcp;
  EXPECT_EQ(tracer(state_).arrive(stray("198.18.3.1:5353", "198.19.0.1:1000")).end, End::kReset);
}

// ---- what is none of ours --------------------------------------------------------------------------------------------

TEST_F(Plan, OtherPortsOfAVipArePassedOn) {
  auto trace_it = tracer(state_);
  for (const auto state : {CtState::kNew, CtState::kEstablished, CtState::kInvalid}) {
    auto ssh = packet("198.19.0.1:1000", "198.18.0.10:22");
    ssh.state = state;
    EXPECT_EQ(trace_it.arrive(ssh).end, End::kDelivered);
  }
  EXPECT_EQ(trace_it.arrive(datagram("198.19.0.1:1000", "198.18.0.10:443")).end, End::kDelivered) << "the other protocol";
}

TEST_F(Plan, APoolAddressServesTheHostToo) {
  auto trace_it = tracer(state_);
  EXPECT_EQ(trace_it.arrive(packet("198.19.0.1:1000", "198.18.1.1:22")).end, End::kDelivered);
  EXPECT_EQ(trace_it.arrive(packet("198.18.2.1:8888", "198.18.1.1:22")).end, End::kDelivered)
      << "even from a backend's service port";
  EXPECT_EQ(trace_it.arrive(stray("198.18.2.1:4000", "198.18.1.1:22")).end, End::kDelivered);
}

TEST_F(Plan, TheBalancersOwnConnectionsFromAPoolAddressLive) {
  auto answer = packet("198.18.2.1:8888", "198.18.1.1:4000");
  answer.tcp_flags = kSyn | kAck;
  answer.state = CtState::kEstablished;
  EXPECT_EQ(tracer(state_).arrive(answer).end, End::kDelivered);
}

TEST_F(Plan, ForeignTrafficIsForwardedUntouched) {
  auto trace_it = tracer(state_);
  for (const auto* from : {"198.19.0.1:1000", "198.18.2.1:8888", "198.18.3.1:5353"}) {
    const auto trace = trace_it.arrive(packet(from, "198.19.7.7:80"));
    EXPECT_EQ(trace.end, End::kForwarded);
    EXPECT_EQ(trace.from, endpoint(from));
    EXPECT_EQ(trace.to, endpoint("198.19.7.7:80"));
    EXPECT_EQ(trace.mark, 0U);
    EXPECT_FALSE(trace.events);
  }
  EXPECT_EQ(trace_it.arrive(packet("198.19.0.1:1000", "198.18.2.1:8888")).end, End::kForwarded) << "straight to a backend";
}

// ---- flows that begin to close ---------------------------------------------------------------------------------------

TEST_F(Plan, FinAndRstOfOurFlowsAreTold) {
  auto trace_it = tracer(state_);
  for (const std::uint8_t flags : {std::uint8_t{kFin | kAck}, kRst}) {
    auto closing = packet("198.19.0.1:1000", "198.18.2.1:8888");
    closing.state = CtState::kEstablished;
    closing.tcp_flags = flags;
    closing.mark = state_.mark.to_mark(1);
    const auto trace = trace_it.arrive(closing);
    EXPECT_EQ(trace.end, End::kForwarded);
    EXPECT_EQ(trace.events, 0x94U);
    EXPECT_TRUE(state_.mark.is_closing(trace.mark));
    EXPECT_EQ(state_.mark.to_id(trace.mark), 1U);
  }
}

TEST_F(Plan, OtherPacketsTellNothing) {
  auto trace_it = tracer(state_);
  auto data = packet("198.19.0.1:1000", "198.18.2.1:8888");
  data.state = CtState::kEstablished;
  data.tcp_flags = kAck;
  data.mark = state_.mark.to_mark(1);
  EXPECT_FALSE(trace_it.arrive(data).events);
  data.mark = 0;
  data.tcp_flags = kFin | kAck;
  EXPECT_FALSE(trace_it.arrive(data).events) << "a foreign flow";
}

}  // namespace
}  // namespace wsl4::dataplane
