// What the injector puts into the kernel is what the kernel goes on with.
#include "daemon/flows/injector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "netlink/rtnl/rtnl.h"
#include "tests/support/recording_prober.h"
#include "tests/support/router_bed.h"

namespace wsl4::flows {
namespace {

using netlink::conntrack::Flow;
using netlink::conntrack::KernelConntrack;
using test::Connection;
using test::Namespace;
using test::RouterBed;
using Kind = Injector::Change::Kind;

std::vector<Flow> dump(const Namespace& where) {
  return where.run([] {
    std::vector<Flow> flows;
    const auto conntrack = KernelConntrack::open().value();
    const auto dump = conntrack->dump({}).value();
    while (dump->step([&](const Flow& flow) { flows.push_back(flow); }).value()) {}
    return flows;
  });
}

/// Hands a router's kernel the changes in one batch.
Injector::Done apply(const Namespace& router, std::vector<Injector::Change> changes, Injector::Stats* stats = nullptr) {
  return router.run([&] {
    boost::asio::io_context io;
    const auto conntrack = KernelConntrack::open().value();
    Injector::Done done{0, false, {}};
    test::RecordingProber prober;
    ClientLimits limits(prober);
    Injector injector(io, *conntrack, limits, service::MarkLayout(), [&](Injector::Done batch) { done = std::move(batch); });
    EXPECT_TRUE(injector.submit(1, std::move(changes)));
    io.run();
    if (stats != nullptr) *stats = injector.stats();
    return done;
  });
}

std::vector<Injector::Change> puts(std::vector<Flow> flows) {
  std::vector<Injector::Change> changes;
  for (Flow& flow : flows) {
    flow.timeout = std::chrono::seconds{4200};
    changes.push_back({Kind::kPut, flow});
  }
  return changes;
}

/// Cuts router a, gives router b its addresses and tells the neighbours.
void fail_over(const RouterBed& bed) {
  RouterBed::cut(bed.a);
  bed.b.run([&] {
    const auto rtnl = netlink::rtnl::open_rtnl().value();
    const auto announcer = netlink::rtnl::open_announcer().value();
    const auto links = rtnl->links().value();
    const auto move = [&](const char* card, const netlink::IpAddress& address) {
      const auto link = std::ranges::find(links, card, &netlink::rtnl::Link::name);
      ASSERT_NE(link, links.end());
      const auto bits = static_cast<std::uint8_t>(address.bits());
      ASSERT_TRUE(rtnl->add_address({link->index, address, bits, netlink::rtnl::kAddressProtocol}));
      ASSERT_TRUE(announcer->announce(*link, address));
    };
    for (const auto& vip : {bed.vip4, bed.vip6}) move("front", vip);
    for (const auto& snat : {bed.snat4, bed.snat6}) move("back", snat);
  });
}

TEST(Injector, ConnectionsLiveOnThroughTheOtherRouter) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  RouterBed::load_rules(bed.b);
  const Connection ipv4 = bed.connect(bed.vip4), ipv6 = bed.connect(bed.vip6);
  const auto done = apply(bed.b, puts(dump(bed.a)));
  EXPECT_TRUE(done.known && done.refused.empty());
  fail_over(bed);
  EXPECT_TRUE(ipv4.client_sends(2'000'000));
  EXPECT_TRUE(ipv4.server_sends(2'000'000));
  EXPECT_TRUE(ipv6.server_sends(2'000'000));
  EXPECT_TRUE(ipv6.client_sends(2'000'000));
}

/// The standby missed the end of other flows, which hold both tuples of the one that is wanted.
TEST(Injector, AConnectionLivesOnThoughOthersHeldItsTuples) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  RouterBed::load_rules(bed.b);
  const Connection connection = bed.connect(bed.vip4);
  const auto flows = dump(bed.a);
  ASSERT_EQ(flows.size(), 1U);
  Flow same_client = flows[0], same_port = flows[0];
  same_client.reply.destination.port ^= 1;
  same_port.original.source.port ^= 1;
  ASSERT_TRUE(apply(bed.b, puts({same_client, same_port})).refused.empty());
  Injector::Stats stats;
  const auto done = apply(bed.b, puts(flows), &stats);
  EXPECT_TRUE(done.known && done.refused.empty());
  EXPECT_EQ(stats.clashes, 1U);
  EXPECT_EQ(dump(bed.b).size(), 1U) << "both made room";
  fail_over(bed);
  EXPECT_TRUE(connection.client_sends(1'000'000));
  EXPECT_TRUE(connection.server_sends(1'000'000));
}

TEST(Injector, AFlowStaysTranslatedWhenItsTimerIsSet) {
  const RouterBed bed;
  RouterBed::load_rules(bed.b);
  Flow flow;
  flow.original = {{*netlink::IpAddress::parse("198.18.1.10"), 4000}, {bed.vip4, 80}};
  flow.reply = {RouterBed::server_end(netlink::Family::kIpv4), {bed.snat4, 4000}};
  flow.timeout = std::chrono::seconds{60};
  ASSERT_TRUE(apply(bed.b, {{Kind::kPut, flow}}).known);
  flow.timeout = std::chrono::seconds{4200};
  EXPECT_TRUE(apply(bed.b, {{Kind::kShorten, flow}}).refused.empty());
  const auto flows = dump(bed.b);
  ASSERT_EQ(flows.size(), 1U);
  EXPECT_GT(flows[0].timeout.count(), 4100);
  EXPECT_EQ(flows[0].reply, flow.reply) << "still translated";
}

TEST(Injector, TwentyThousandFlowsGoIn) {
  const RouterBed bed;
  RouterBed::load_rules(bed.b);
  std::vector<Flow> flows;
  for (unsigned n = 0; n < 20'000; ++n) {
    Flow flow;
    const auto port = static_cast<std::uint16_t>(1024 + n);
    flow.original = {{*netlink::IpAddress::parse("198.18.1.10"), port}, {bed.vip4, 80}};
    flow.reply = {RouterBed::server_end(netlink::Family::kIpv4), {bed.snat4, port}};
    flow.mark = RouterBed::kMark;
    flows.push_back(flow);
  }
  Injector::Stats stats;
  const auto done = apply(bed.b, puts(flows), &stats);
  EXPECT_TRUE(done.known && done.refused.empty());
  EXPECT_EQ(stats.inserted, flows.size());
  EXPECT_EQ(dump(bed.b).size(), flows.size());
}

}  // namespace
}  // namespace wsl4::flows
