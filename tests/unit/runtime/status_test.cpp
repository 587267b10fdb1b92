#include "daemon/runtime/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/dataplane/names.h"

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;
using netlink::Endpoint;
using netlink::IpAddress;

IpAddress address(const std::string& text) { return *IpAddress::parse(text); }
Endpoint endpoint(const std::string& text) { return *Endpoint::parse(text); }

/// Service chat: backends a (weight 100), b (300), old (draining) over two pool addresses of 1,000 ports.
service::DesiredState desired_state() {
  service::DesiredState desired;
  desired.pools["main"] = {"main", {address("198.18.2.101"), address("198.18.2.102"), address("2001:db8:2::101")}, 1, 1000};
  auto& chat = desired.services["chat"];
  chat.name = "chat";
  chat.listen = {endpoint("198.18.1.100:443")};
  chat.pool = "main";
  chat.backends = {{"a", endpoint("198.18.2.11:80"), 1, 100, 100},
                   {"b", endpoint("198.18.2.12:80"), 2, 300, 300},
                   {"old", endpoint("198.18.2.13:80"), 3, 0, 0}};
  return desired;
}

/// The configuration knows a and b only.
config::Config file() {
  config::Config file;
  auto& chat = file.services.emplace_back();
  chat.name = "chat";
  for (const auto* host : {"198.18.2.11:80", "198.18.2.12:80"}) chat.backends.emplace_back().address = endpoint(host);
  return file;
}

constexpr service::WallTime kWall{std::chrono::hours(1000)};
constexpr std::chrono::steady_clock::time_point kNow{std::chrono::hours(1)};

control::Status describe(const service::DesiredState& desired, const KernelCounts& counts, const config::Config& config = file(),
                         JoinedView joined = {}, const std::map<std::string, service::LaidService>& laid = {}) {
  const Surroundings surroundings{config, laid, {}, kNow, kWall, std::move(joined), {}};
  control::Status status;
  describe_services(status, desired, surroundings, counts);
  return status;
}

/// What a backend at 198.18.2.`host`:80, with the number `id`, has on a pool address.
flows::PairCount pair_count(const std::string& snat, service::BackendId id, int host, std::uint64_t connections,
                            std::uint64_t held) {
  return {address(snat), id, connections, held, {endpoint("198.18.2." + std::to_string(host) + ":80"), netlink::Protocol::kTcp}};
}

KernelCounts counts_of(const service::DesiredState& desired) {
  KernelCounts counts;
  counts.backends = {{1, {10, 12, 20}}, {2, {30, 33, 40}}, {3, {5, 5, 0}}};
  counts.rates = {{1, 2.5}, {2, 7.5}};
  counts.shares = {{1, 0.25}, {2, 0.75}, {3, 0}};
  counts.pairs = {pair_count("198.18.2.101", 1, 11, 10, 12), pair_count("198.18.2.102", 2, 12, 30, 33),
                  pair_count("198.18.2.101", 3, 13, 5, 5)};
  const auto& chat = desired.services.at("chat");
  counts.counters[dataplane::names::new_flows_counter(chat)] = {509, 0};
  counts.counters[dataplane::names::no_backend_counter(chat)] = {9, 540};
  counts.counters[dataplane::names::backend_counter(chat, chat.backends[0])] = {100, 0};
  counts.counters[dataplane::names::backend_counter(chat, chat.backends[1])] = {300, 0};
  counts.ruleset_in_sync = true;
  return counts;
}

TEST(DescribeServices, AddsUpWhatTheKernelCounts) {
  const auto desired = desired_state();
  const auto status = describe(desired, counts_of(desired));
  ASSERT_EQ(status.services.size(), 1U);
  const auto& chat = status.services[0];
  EXPECT_EQ(chat.connections, 45U);
  EXPECT_DOUBLE_EQ(chat.rate, 10);
  EXPECT_EQ(chat.total, 500U) << "those of backends that have gone count on";
  EXPECT_EQ(chat.refused, 9U);
  EXPECT_EQ(chat.refused_by.at("no_backend"), 9U);
  ASSERT_EQ(chat.backends.size(), 3U);
  EXPECT_EQ(chat.backends[0].state, "up");
  EXPECT_DOUBLE_EQ(chat.backends[0].share, 0.25);
  EXPECT_DOUBLE_EQ(chat.backends[1].share, 0.75);
  EXPECT_EQ(chat.backends[2].state, "draining");
  EXPECT_EQ(chat.backends[2].share, 0);
  EXPECT_EQ(chat.backends[2].connections, 5U);
  EXPECT_TRUE(status.warnings.empty());
  EXPECT_TRUE(status.ruleset_in_sync);
}

TEST(DescribeServices, OneThatDrainsIsEmptyAtItsPaceOrAsFastAsItIsEvicted) {
  auto desired = desired_state();
  auto counts = counts_of(desired);
  EXPECT_EQ(describe(desired, counts).services[0].backends[2].empty_in, std::nullopt);
  counts.emptying[3] = {kNow - std::chrono::hours(1), 10};
  EXPECT_EQ(describe(desired, counts).services[0].backends[2].empty_in, std::chrono::hours(1));
  desired.services.at("chat").backends[2].evict = 0.5;
  EXPECT_EQ(describe(desired, counts).services[0].backends[2].empty_in, std::chrono::seconds(10));
}

TEST(DescribeServices, CapacityCountsPoolAddressesOfTheBackendsFamily) {
  const auto desired = desired_state();
  const auto status = describe(desired, counts_of(desired));
  const auto& snat = *status.services[0].snat;
  EXPECT_EQ(snat.capacity, 2U * 2U * 1000U);
  EXPECT_EQ(snat.used, 50U);
  ASSERT_EQ(snat.addresses.size(), 3U);
  EXPECT_EQ(snat.addresses[0].connections, 15U);
  EXPECT_EQ(snat.addresses[1].connections, 30U);
  EXPECT_EQ(snat.addresses[2].connections, 0U);
  EXPECT_DOUBLE_EQ(snat.worst_use, 0.033);
}

TEST(DescribeServices, APairIsFilledByAllServicesThatUseItsBackend) {
  auto desired = desired_state();
  auto& other = desired.services["other"];
  other = desired.services["chat"];
  other.name = "other";
  other.backends = {{"same", endpoint("198.18.2.11:80"), 4, 100, 100}};
  auto counts = counts_of(desired);
  counts.pairs.push_back(pair_count("198.18.2.101", 4, 11, 900, 900));
  auto config = file();
  auto& second = config.services.emplace_back();
  second.name = "other";
  second.backends.emplace_back().address = endpoint("198.18.2.11:80");
  const auto status = describe(desired, counts, config);
  EXPECT_DOUBLE_EQ(status.services[0].snat->worst_use, 0.912);
  EXPECT_DOUBLE_EQ(status.services[1].snat->worst_use, 0.912);
  EXPECT_EQ(status.services[0].snat->used, 950U) << "by both";
  EXPECT_EQ(status.services[0].snat->addresses[0].used, 917U);
  EXPECT_EQ(status.services[0].snat->addresses[0].connections, 15U) << "its own";
  EXPECT_EQ(status.services[1].snat->used, 912U) << "towards its only backend";
  ASSERT_EQ(status.warnings.size(), 2U);
  EXPECT_EQ(
      status.warnings[0],
      "service chat: 91 % of the ports of 198.18.2.101 towards a are taken, 23 % of pool main in all; add addresses to the pool, "
      "or backends");
  EXPECT_EQ(status.warnings[1].find("service other: 91 % of the ports of 198.18.2.101 towards same are taken, 45 % of pool main"),
            0U)
      << status.warnings[1];
}

TEST(DescribeServices, APairIsFilledByServicesThatHaveGoneToo) {
  const auto desired = desired_state();
  auto counts = counts_of(desired);
  counts.pairs.push_back(pair_count("198.18.2.102", 77, 12, 967, 967));
  const auto status = describe(desired, counts);
  EXPECT_EQ(status.services[0].snat->pairs_full, 1U);
  ASSERT_EQ(status.warnings.size(), 1U);
  EXPECT_EQ(status.warnings[0].find("service chat: 100 % of the ports of 198.18.2.102 towards b are taken, 25 % of pool main"), 0U)
      << status.warnings[0];
}

/// It drains: its ports are held, but the capacity is that of the others.
TEST(DescribeServices, ABackendThatHasLeftHasNoPartInHowFullThePoolIs) {
  const auto desired = desired_state();
  auto counts = counts_of(desired);
  counts.pairs[0].held = 862;
  counts.pairs[2].held = 800;
  const auto status = describe(desired, counts);
  EXPECT_EQ(status.services[0].snat->used, 862U + 33U + 800U);
  ASSERT_EQ(status.warnings.size(), 1U);
  EXPECT_NE(status.warnings[0].find(", 22 % of pool main in all"), std::string::npos) << status.warnings[0];
}

/// A full pool that is mended by other addresses is full no more, though its old flows live on.
TEST(DescribeServices, FlowsOverAddressesThatHaveLeftThePoolTakeNoneOfItsPorts) {
  const auto desired = desired_state();
  auto counts = counts_of(desired);
  counts.pairs.push_back(pair_count("198.18.2.109", 1, 11, 990, 1000));
  const auto status = describe(desired, counts);
  const auto& snat = *status.services[0].snat;
  EXPECT_EQ(snat.used, 50U);
  EXPECT_EQ(snat.pairs_full, 0U);
  EXPECT_DOUBLE_EQ(snat.worst_use, 0.033);
  EXPECT_TRUE(status.warnings.empty());
}

TEST(DescribeServices, WhenAPoolWillBeFullIsToldAndWarnedOf) {
  const auto desired = desired_state();
  auto counts = counts_of(desired);
  counts.pairs[0].held = 870;
  counts.full_in["chat"] = 3h;
  const auto status = describe(desired, counts);
  EXPECT_EQ(status.services[0].snat->full_in, 3h);
  ASSERT_EQ(status.warnings.size(), 1U);
  EXPECT_NE(status.warnings[0].find("87 % of the ports of 198.18.2.101 towards a "), std::string::npos) << status.warnings[0];
  EXPECT_NE(status.warnings[0].find("at the present rate all of it in 3 h"), std::string::npos) << status.warnings[0];
}

TEST(DescribeServices, ABackendWithoutAFreePortIsFull) {
  const auto desired = desired_state();
  auto counts = counts_of(desired);
  counts.free_ports = {{1, 0}, {2, 5}};
  counts.shares[1] = 0;
  const auto status = describe(desired, counts);
  EXPECT_EQ(status.services[0].backends[0].state, "full");
  EXPECT_EQ(status.services[0].backends[0].reason, "no free port in the pool");
  EXPECT_EQ(status.services[0].backends[1].state, "up");
}

TEST(DescribeServices, WhoGetsNothingByTheCountsHasAReasonToo) {
  const auto desired = desired_state();
  auto counts = counts_of(desired);
  counts.shares = {{1, 0}, {2, 1}};
  const auto status = describe(desired, counts);
  EXPECT_EQ(status.services[0].backends[0].state, "up");
  EXPECT_EQ(status.services[0].backends[0].reason, "others are emptier");
  EXPECT_EQ(status.services[0].backends[1].reason, "");
}

TEST(DescribeServices, AServiceWithoutAShareWarns) {
  auto desired = desired_state();
  for (auto& backend : desired.services["chat"].backends) backend.share_weight = 0;
  const auto status = describe(desired, counts_of(desired));
  ASSERT_EQ(status.warnings.size(), 1U);
  EXPECT_EQ(status.warnings[0], "service chat: no backend takes new connections; they are refused");
}

TEST(DescribeServices, AServiceWithoutABackendOfAFamilyWarns) {
  auto service = desired_state().services.at("chat");
  service.listen.push_back(endpoint("[2001:db8::1]:443"));
  EXPECT_EQ(lack_of_backends(service), "no backend takes new connections over IPv6");
  service.backends.front().address = endpoint("[2001:db8:2::1]:80");
  EXPECT_EQ(lack_of_backends(service), std::nullopt);
}

netlink::conntrack::Flow flow() {
  netlink::conntrack::Flow flow;
  flow.original = {endpoint("198.18.1.10:4000"), endpoint("198.18.1.100:443")};
  flow.reply = {endpoint("198.18.2.11:80"), endpoint("198.18.2.101:4000")};
  flow.tcp_state = netlink::conntrack::TcpState::kEstablished;
  flow.timeout = 100s;
  flow.start_ns = 1'000'000'000ULL * 1000;
  return flow;
}

TEST(Flows, AreFoundByTheirPoolPort) {
  const BackendName backend{"chat", "a"};
  control::FlowQuery query;
  EXPECT_TRUE(matches(query, flow(), backend));
  query.snat = endpoint("198.18.2.101:4000");
  EXPECT_TRUE(matches(query, flow(), backend));
  query.snat = endpoint("198.18.2.101:4001");
  EXPECT_FALSE(matches(query, flow(), backend));
  query = {};
  query.service = "other";
  EXPECT_FALSE(matches(query, flow(), backend));
  query.service = "chat";
  query.backend = "a";
  query.client = address("198.18.1.10");
  EXPECT_TRUE(matches(query, flow(), backend));
  query.backend = "b";
  EXPECT_FALSE(matches(query, flow(), backend));
}

TEST(Flows, AreShownWithAllFourEnds) {
  const auto view = to_view(flow(), {"chat", "a"}, control::WallClock::time_point(1060s));
  EXPECT_EQ(view.client, endpoint("198.18.1.10:4000"));
  EXPECT_EQ(view.vip, endpoint("198.18.1.100:443"));
  EXPECT_EQ(view.snat, endpoint("198.18.2.101:4000"));
  EXPECT_EQ(view.server, endpoint("198.18.2.11:80"));
  EXPECT_EQ(view.state, "ESTABLISHED");
  EXPECT_EQ(view.age, 60s);
  EXPECT_EQ(view.expires, 100s);
}

TEST(Flows, OfUdpAreInTheStateThatTheKernelSays) {
  namespace status = netlink::conntrack::status;
  auto datagrams = flow();
  datagrams.original.protocol = netlink::Protocol::kUdp;
  const auto state = [&](std::uint32_t bits) {
    datagrams.status = bits;
    return to_view(datagrams, {"dns", "a"}, {}).state;
  };
  EXPECT_EQ(state(status::kConfirmed), "UNREPLIED");
  EXPECT_EQ(state(status::kConfirmed | status::kSeenReply), "REPLIED");
  EXPECT_EQ(state(status::kSeenReply | status::kAssured), "ASSURED");
}

TEST(DescribeServices, SaysWhereBackendsComeFrom) {
  const auto desired = desired_state();
  auto config = file();
  config.services[0].backends.emplace_back().address = endpoint("198.18.2.13:80");
  JoinedView joined;
  joined.origins[{"chat", endpoint("198.18.2.11:80")}] = service::Origin::kRegistered;
  joined.lapses[{"chat", endpoint("198.18.2.11:80")}] = kNow + 20s;
  joined.origins[{"chat", endpoint("198.18.2.12:80")}] = service::Origin::kDiscovered;
  joined.lookups["chat"].setting = "dns:x:80";
  joined.lookups["chat"].status.failing = true;
  service::LaidService laid;
  laid.added.insert(endpoint("198.18.2.13:80"));
  const auto status = describe(desired, counts_of(desired), config, std::move(joined), {{"chat", laid}});
  const auto& chat = status.services[0];
  EXPECT_EQ(chat.backends[0].source, "registered");
  EXPECT_EQ(chat.backends[0].lease, 20s);
  EXPECT_EQ(chat.backends[1].source, "discovered");
  EXPECT_EQ(chat.backends[1].lease, std::nullopt);
  EXPECT_EQ(chat.backends[2].source, "added");
  ASSERT_TRUE(chat.discovery);
  EXPECT_EQ(chat.discovery->source, "dns:x:80");
  EXPECT_TRUE(chat.discovery->failing);
}

/// The file has got a backend at the address of one that was added before.
TEST(DescribeServices, OneThatWasAddedInVainIsNoSource) {
  const auto desired = desired_state();
  auto config = file();
  config.services[0].listen = {endpoint("198.18.1.100:443")};
  config.services[0].backends[0].name = "a";
  config.services[0].backends.pop_back();
  service::Overlay overlay;
  ASSERT_TRUE(overlay.change(config, "chat", "mine", service::AddBackend{endpoint("198.18.2.12:80"), 100, 0, {}}, kNow));
  const auto source = [&](JoinedView joined) {
    const std::map<std::string, service::LaidService> laid{{"chat", *overlay.lay(config, "chat", config.services.data())}};
    return describe(desired, counts_of(desired), config, std::move(joined), laid).services[0].backends[1].source;
  };
  EXPECT_EQ(source({}), "added");
  auto& own = config.services[0].backends.emplace_back();
  own.name = "b";
  own.address = endpoint("198.18.2.12:80");
  EXPECT_EQ(source({}), "file");
  JoinedView joined;
  joined.origins[{"chat", own.address}] = service::Origin::kRegistered;
  EXPECT_EQ(source(std::move(joined)), "registered");
}

TEST(DescribeServices, OneThatHasLeftComesFromNowhere) {
  const auto desired = desired_state();
  const auto status = describe(desired, counts_of(desired));
  EXPECT_EQ(status.services[0].backends[0].source, "file");
  EXPECT_EQ(status.services[0].backends[2].source, "");
  EXPECT_FALSE(status.services[0].discovery);
}

TEST(DescribeServices, ARemovedBackendThatWasAddedAgainIsNotToldAsRemoved) {
  const auto desired = desired_state();
  auto config = file();
  config.services[0].backends[0].name = "a";
  config.services[0].backends[1].name = "b";
  service::Overlay overlay;
  const auto removed = [&] {
    const std::map<std::string, service::LaidService> laid{{"chat", *overlay.lay(config, "chat", config.services.data())}};
    control::Status status;
    describe_services(status, desired, {config, laid, {}, kNow, kWall}, counts_of(desired));
    return status.services[0].removed;
  };
  for (const auto* name : {"a", "b"}) ASSERT_TRUE(overlay.change(config, "chat", name, service::RemoveBackend{}, kNow));
  EXPECT_EQ(removed(), (std::vector<std::string>{"a", "b"}));
  config.services[0].listen = {endpoint("198.18.1.100:443")};
  ASSERT_TRUE(overlay.change(config, "chat", "a", service::AddBackend{endpoint("198.18.2.20:80"), 100, 0, {}}, kNow));
  EXPECT_EQ(removed(), std::vector<std::string>{"b"});
}

TEST(DescribeServices, TellsOfConnectionsOfServicesThatHaveGone) {
  const auto desired = desired_state();
  const auto config = file();
  auto counts = counts_of(desired);
  counts.backends[98].connections = 3;
  counts.backends[99].connections = 5;
  const auto backend = [](const char* name, service::BackendId id) {
    service::BackendState state;
    state.name = name;
    state.id = id;
    return state;
  };
  std::vector<service::KnownBackend> left{
      {"former", backend("f1", 98)}, {"former", backend("f2", 97)}, {"chat", backend("old", 99)}};
  left.push_back({service::gone_service(netlink::Protocol::kTcp), backend("198.18.2.11:80", 99)});
  const std::map<std::string, service::LaidService> nothing_laid;
  control::Status status;
  describe_services(status, desired, {config, nothing_laid, {}, kNow, kWall, {}, left}, counts);
  EXPECT_THAT(status.warnings, testing::IsSupersetOf({"service former has left the configuration; 3 of its connections live on",
                                                      "5 connections to where no service of this node listens"}));
  EXPECT_THAT(status.warnings, testing::Not(testing::Contains(testing::HasSubstr("service chat has left"))));
}

TEST(Flows, NamesThatNobodyKnowsAreAnError) {
  const auto names = backend_names(desired_state(), {{"former", {.name = "f1", .address = {}, .id = 99}}});
  auto known = file();
  known.services[0].backends[1].name = "removed";  // at run time, and has drained
  known.services.emplace_back().name = "empty";
  const auto unknown = [&](std::optional<std::string> service, std::optional<std::string> backend) {
    control::FlowQuery query;
    query.service = std::move(service);
    query.backend = std::move(backend);
    return unknown_name(query, names, known).value_or("");
  };
  EXPECT_EQ(unknown(std::nullopt, std::nullopt), "");
  for (const auto* service : {"chat", "empty"}) EXPECT_EQ(unknown(service, std::nullopt), "");
  for (const auto* backend : {"a", "old", "removed"}) {
    EXPECT_EQ(unknown("chat", backend), "");
    EXPECT_EQ(unknown(std::nullopt, backend), "");
  }
  EXPECT_EQ(unknown("former", "f1"), "") << "all of it has left the file";
  EXPECT_EQ(unknown("chatt", "a"), "there is no service 'chatt'");
  EXPECT_EQ(unknown("chat", "c"), "service chat has no backend 'c'");
  EXPECT_EQ(unknown("empty", "a"), "service empty has no backend 'a'");
  EXPECT_EQ(unknown(std::nullopt, "c"), "no service has a backend 'c'");
  known.services.clear();
  EXPECT_EQ(unknown("chat", "old"), "") << "it has left the file, and has flows still";
}

}  // namespace
}  // namespace wsl4::runtime
