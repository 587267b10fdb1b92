// Real flows through a router: what we read of them, and what happens to them when their entries go or move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "netlink/conntrack/conntrack.h"
#include "netlink/rtnl/rtnl.h"
#include "netlink/tcp_probe.h"
#include "tests/support/router_bed.h"

namespace wsl4::netlink::conntrack {
namespace {

using test::Connection;
using test::Namespace;
using test::RouterBed;

std::vector<Flow> dump(const Namespace& where, MarkFilter filter = {}) {
  return where.run([&] {
    std::vector<Flow> flows;
    auto conntrack = KernelConntrack::open();
    auto dump = conntrack.value()->dump(filter);
    const auto collect = [&](const Flow& flow) { flows.push_back(flow); };
    while (dump.value()->step(collect).value()) {}
    return flows;
  });
}

template <class Use>
auto with_conntrack(const Namespace& where, Use&& use) {
  return where.run([&] { return use(*KernelConntrack::open().value()); });
}

Endpoint oracle_end(const nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6, nf_conntrack_attr port) {
  const bool ipv4 = nfct_attr_is_set(entry, v4) > 0;
  const auto* bytes = static_cast<const std::uint8_t*>(nfct_get_attr(entry, ipv4 ? v4 : v6));
  return {*IpAddress::from_bytes({bytes, ipv4 ? 4U : 16U}), ntohs(nfct_get_attr_u16(entry, port))};
}

Flow oracle_flow(const nf_conntrack* entry) {
  Flow flow;
  const auto protocol = static_cast<Protocol>(nfct_get_attr_u8(entry, ATTR_L4PROTO));
  flow.original = {oracle_end(entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_PORT_SRC),
                   oracle_end(entry, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_DST), protocol};
  flow.reply = {oracle_end(entry, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC, ATTR_REPL_PORT_SRC),
                oracle_end(entry, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST, ATTR_REPL_PORT_DST), protocol};
  flow.id = nfct_get_attr_u32(entry, ATTR_ID);
  flow.status = nfct_get_attr_u32(entry, ATTR_STATUS);
  flow.mark = nfct_get_attr_u32(entry, ATTR_MARK);
  flow.tcp_state = static_cast<TcpState>(nfct_get_attr_u8(entry, ATTR_TCP_STATE));
  flow.wscale_original = nfct_get_attr_u8(entry, ATTR_TCP_WSCALE_ORIG);
  flow.wscale_reply = nfct_get_attr_u8(entry, ATTR_TCP_WSCALE_REPL);
  flow.tcp_flags_original = nfct_get_attr_u8(entry, ATTR_TCP_FLAGS_ORIG);
  flow.tcp_flags_reply = nfct_get_attr_u8(entry, ATTR_TCP_FLAGS_REPL);
  return flow;
}

/// What libnetfilter_conntrack shows, without the timeouts, which run.
std::vector<Flow> dump_by_oracle(const Namespace& where) {
  return where.run([] {
    std::vector<Flow> flows;
    nfct_handle* const handle = nfct_open(CONNTRACK, 0);
    const auto collect = [](nf_conntrack_msg_type, nf_conntrack* entry, void* data) {
      const auto protocol = nfct_get_attr_u8(entry, ATTR_L4PROTO);
      if (protocol == 6 || protocol == 17) static_cast<std::vector<Flow>*>(data)->push_back(oracle_flow(entry));
      return static_cast<int>(NFCT_CB_CONTINUE);
    };
    nfct_callback_register(handle, NFCT_T_ALL, collect, &flows);
    for (const std::uint32_t family : {AF_INET, AF_INET6}) EXPECT_EQ(nfct_query(handle, NFCT_Q_DUMP, &family), 0);
    nfct_close(handle);
    return flows;
  });
}

Flow flow_of(const Namespace& where, const Connection& connection) {
  const auto flows = dump(where);
  const auto place = std::ranges::find(flows, connection.client_end, [](const Flow& flow) { return flow.original.source; });
  EXPECT_NE(place, flows.end());
  return place == flows.end() ? Flow{} : *place;
}

TEST(ConntrackFlows, DumpEqualsWhatTheLibraryShows) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  const Connection one = bed.connect(bed.vip4), two = bed.connect(bed.vip6), three = bed.connect(bed.other_vip4);
  bed.exchange_datagram(bed.vip4);

  auto flows = dump(bed.a);
  ASSERT_EQ(flows.size(), 4U);
  for (Flow& flow : flows) {
    EXPECT_GT(flow.timeout.count(), 0);
    flow.timeout = {};
  }
  EXPECT_THAT(flows, testing::UnorderedElementsAreArray(dump_by_oracle(bed.a)));

  const Flow flow = flow_of(bed.a, two);
  EXPECT_EQ(flow.original.destination, (Endpoint{bed.vip6, 80}));
  EXPECT_EQ(flow.reply.destination.address, bed.snat6);
  EXPECT_EQ(flow.reply.source.to_string(), "[2001:db8:2::11]:8080");
  EXPECT_EQ(flow.mark, RouterBed::kMark);
  EXPECT_EQ(flow.tcp_state, TcpState::kEstablished);
  EXPECT_GT(flow.wscale_original, 0);
}

TEST(ConntrackFlows, DumpByMarkShowsOnlyThose) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  const Connection ours = bed.connect(bed.vip4), foreign = bed.connect(bed.other_vip4);
  const auto marked = dump(bed.a, {0xff00, RouterBed::kMark});
  ASSERT_EQ(marked.size(), 1U);
  EXPECT_EQ(marked[0].original.source, ours.client_end);
  EXPECT_TRUE(dump(bed.a, {0xff00, 0x4300}).empty());
}

TEST(ConntrackFlows, AnErasedFlowIsResetAndOthersAreNot) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  for (const auto& vip : {bed.vip4, bed.vip6}) {
    const Connection doomed = bed.connect(vip), other = bed.connect(vip);
    const Flow flow = flow_of(bed.a, doomed);
    const std::vector<Flow> flows{flow};
    EXPECT_EQ(with_conntrack(bed.a, [&](Conntrack& conntrack) { return conntrack.erase(flows).value(); }), 1U);
    EXPECT_EQ(with_conntrack(bed.a, [&](Conntrack& conntrack) { return conntrack.erase(flows).value(); }), 0U);
    ASSERT_EQ(::send(doomed.client.get(), "x", 1, MSG_NOSIGNAL), 1);
    EXPECT_TRUE(doomed.client_is_reset());
    EXPECT_TRUE(other.client_sends(1000) && other.server_sends(1000));
  }
}

/// kernel.md section 6: an idle client learns of its flow's end by a forged segment alone.
TEST(ConntrackFlows, AProbeMakesAnIdleClientSeeAReset) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  auto prober = bed.a.run([] { return open_tcp_prober(); });
  ASSERT_TRUE(prober) << prober.error().message();
  for (const auto& vip : {bed.vip4, bed.vip6}) {
    const Connection idle = bed.connect(vip);
    const std::vector<Flow> flows{flow_of(bed.a, idle)};
    ASSERT_EQ(with_conntrack(bed.a, [&](Conntrack& conntrack) { return conntrack.erase(flows).value(); }), 1U);
    const auto sent = (*prober)->probe(flows[0].original.destination, flows[0].original.source);
    ASSERT_TRUE(sent) << sent.error().message();
    EXPECT_TRUE(idle.client_is_reset());
  }
}

// ---- moving flows to the other router --------------------------------------------------------------------------

/// Gives router b the addresses of router a and tells the neighbours.
void take_over(const RouterBed& bed) {
  bed.b.run([&] {
    const auto rtnl = rtnl::open_rtnl().value();
    const auto announcer = rtnl::open_announcer().value();
    const auto links = rtnl->links().value();
    const auto move = [&](const char* card, const IpAddress& address) {
      const auto link = std::ranges::find(links, card, &rtnl::Link::name);
      ASSERT_NE(link, links.end());
      const rtnl::InterfaceAddress wanted{link->index, address, static_cast<std::uint8_t>(address.bits()), rtnl::kAddressProtocol};
      const auto added = rtnl->add_address(wanted);
      ASSERT_TRUE(added) << added.error().message();
      const auto announced = announcer->announce(*link, address);
      ASSERT_TRUE(announced) << announced.error().message();
    };
    move("front", bed.vip4);
    move("front", bed.vip6);
    move("back", bed.snat4);
    move("back", bed.snat6);
  });
}

TEST(ConntrackFlows, MovedConnectionsGoOn) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a);
  RouterBed::load_rules(bed.b);
  const Connection ipv4 = bed.connect(bed.vip4), ipv6 = bed.connect(bed.vip6);
  auto flows = dump(bed.a);
  for (Flow& flow : flows) flow.timeout = std::chrono::seconds{600};
  const auto outcomes = with_conntrack(bed.b, [&](Conntrack& conntrack) { return conntrack.insert(flows); });
  ASSERT_TRUE(outcomes) << outcomes.error().message();
  EXPECT_THAT(*outcomes, testing::Each(0));

  RouterBed::cut(bed.a);
  take_over(bed);
  EXPECT_TRUE(ipv4.client_sends(2'000'000)) << "IPv4, client first";
  EXPECT_TRUE(ipv4.server_sends(2'000'000));
  EXPECT_TRUE(ipv6.server_sends(2'000'000)) << "IPv6, server first";
  EXPECT_TRUE(ipv6.client_sends(2'000'000));
  EXPECT_EQ(flow_of(bed.b, ipv4).mark, RouterBed::kMark);
}

TEST(ConntrackFlows, AMovedConnectionWithoutSourceNatGoesOn) {
  const RouterBed bed;
  RouterBed::load_rules(bed.a, false);
  RouterBed::load_rules(bed.b, false);
  const Connection connection = bed.connect(bed.vip4);
  auto flows = dump(bed.a);
  ASSERT_EQ(flows.size(), 1U);
  EXPECT_EQ(flows[0].reply.destination, connection.client_end);
  flows[0].timeout = std::chrono::seconds{600};
  ASSERT_TRUE(with_conntrack(bed.b, [&](Conntrack& conntrack) { return conntrack.insert(flows); }));

  RouterBed::cut(bed.a);
  take_over(bed);
  bed.server.must("ip route replace 198.18.1.0/24 via 198.18.2.3");
  EXPECT_TRUE(connection.client_sends(1'000'000));
  EXPECT_TRUE(connection.server_sends(1'000'000));
}

TEST(ConntrackFlows, WithoutTheRightEverythingSaysWhatItWasRefused) {
  const Namespace space("noright");
  space.run([] {
    KernelConntrack::open().value();                              // works as root
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);  // of this thread alone
    const auto conntrack = KernelConntrack::open();
    ASSERT_FALSE(conntrack);
    EXPECT_EQ(conntrack.error().message(), "use conntrack netlink: Operation not permitted");
    EXPECT_EQ(open_events({}).error().code, EPERM);
    EXPECT_EQ(open_tcp_prober().error().message(), "open raw IPv4 socket: Operation not permitted");
    EXPECT_EQ(rtnl::open_announcer().error().message(), "open packet socket: Operation not permitted");
  });
}

}  // namespace
}  // namespace wsl4::netlink::conntrack
