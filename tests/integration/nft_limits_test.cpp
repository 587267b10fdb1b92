// Client limits with real connections: who passes, who is refused, and when the next one passes again.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "daemon/dataplane/diff.h"
#include "netlink/conntrack/conntrack.h"
#include "netlink/nft/nftables.h"
#include "netlink/tcp_probe.h"
#include "tests/support/router_bed.h"
#include "tests/support/sample_tables.h"

namespace wsl4::test {
namespace {

using netlink::Family;
using netlink::IpAddress;
using namespace netlink::nft;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = std::chrono::seconds(20);

bool becomes_true(const std::function<bool()>& condition) {
  const auto end = Clock::now() + kDeadline;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

class NftLimits : public testing::TestWithParam<Family> {
 protected:
  static void SetUpTestSuite() {
    bed = std::make_unique<RouterBed>();
    bed->client.must(
        "ip addr add 198.18.1.77/24 dev front && ip addr add 2001:db8:1::77/64 dev front nodad && "
        "ip addr add 2001:db8:7::10/64 dev front nodad");
    bed->a.must("ip route add 2001:db8:7::/64 dev front");
    bed->server.must("ip route add 2001:db8:7::/64 via 2001:db8:2::2");
  }
  static void TearDownTestSuite() { bed.reset(); }

  NftLimits() : kernel_(bed->a.run([] { return KernelNftables::open().value(); })) { connect_from(first_client()); }
  void TearDown() override { bed->a.must("nft delete table inet wsl4"); }

  /// That of client_limits' rules, before the server.
  void load(std::size_t rule, std::uint32_t size = 1000) {
    table_ = client_limits(GetParam());
    table_.chains["limits"].rules = {table_.chains["limits"].rules.at(rule)};
    for (const auto* set : {"connections", "rates"}) table_.sets[set].size = size;
    table_.sets["rates"].timeout = std::chrono::seconds(3);
    send_to(table_, "limits", RouterBed::server_end(GetParam()));
    const auto committed = kernel_->commit(build_table(table_));
    ASSERT_TRUE(committed) << committed.error().message();
  }

  /// From then on the client connects from that address.
  static void connect_from(const std::string& address) {
    bed->client.must("ip route replace " + vip().to_string() + " dev front src " + address);
  }
  static std::optional<Connection> connect() {
    try {
      return bed->connect(vip());
    } catch (const std::runtime_error& refused) {
      EXPECT_STREQ(refused.what(), "connect: Connection refused");
      return std::nullopt;
    }
  }
  [[nodiscard]] std::uint64_t refused() const { return kernel_->read_counters("wsl4").value().at("refused").packets; }
  /// As nft lists them; empty: none.
  [[nodiscard]] static std::string elements_of(const std::string& set) {
    const auto text = bed->a.must("nft list set inet wsl4 " + set);
    const auto begin = text.find("elements");
    return begin == std::string::npos ? "" : text.substr(begin);
  }

  static bool ipv4() { return GetParam() == Family::kIpv4; }
  static const char* first_client() { return ipv4() ? "198.18.1.10" : "2001:db8:1::10"; }
  static const char* other_client() { return ipv4() ? "198.18.1.77" : "2001:db8:7::10"; }
  static const IpAddress& vip() { return ipv4() ? bed->vip4 : bed->vip6; }

  static inline std::unique_ptr<RouterBed> bed;
  std::unique_ptr<KernelNftables> kernel_;
  Table table_;
};

TEST_P(NftLimits, ExactlySoManyConnectionsPass) {
  load(1);
  auto first = connect(), second = connect();
  ASSERT_TRUE(first && second);
  for (std::uint64_t times = 1; times <= 5; ++times) {
    EXPECT_FALSE(connect());
    EXPECT_EQ(refused(), times);
  }
  EXPECT_EQ(kernel_->read_table("wsl4").value(), table_) << "what packets added is not read";
  EXPECT_TRUE(first->client_sends(1000) && second->server_sends(1000));
}

TEST_P(NftLimits, OneThatEndsMakesRoomForOne) {
  load(1);
  auto first = connect(), second = connect();
  ASSERT_TRUE(first && second);
  for (int ends = 0; ends < 3; ++ends) {
    EXPECT_FALSE(connect());
    first.reset();  // by FIN from both ends
    EXPECT_TRUE(becomes_true([&] { return (first = connect()).has_value(); }));
    EXPECT_FALSE(connect());
    std::swap(first, second);
  }
}

TEST_P(NftLimits, AnotherLimitWantsAnotherSet) {
  load(1);
  const auto first = connect(), second = connect();
  EXPECT_FALSE(connect());

  auto want = table_;
  std::get<LimitClientConnections>(want.chains["limits"].rules[0].statements[1]).count = 3;
  ASSERT_TRUE(kernel_->commit(dataplane::diff(table_, want)));
  EXPECT_FALSE(connect()) << "the client's element keeps the limit that it was made with";

  const auto have = want;
  want.sets["connections"].comment = "at most 3";
  ASSERT_TRUE(kernel_->commit(dataplane::diff(have, want)));
  EXPECT_EQ(kernel_->read_table("wsl4").value(), want);
  const auto third = connect(), fourth = connect(), fifth = connect();
  EXPECT_TRUE(third && fourth && fifth) << "the new set has counted none of those before";
  EXPECT_FALSE(connect());
}

TEST_P(NftLimits, AClientWithoutConnectionsIsForgotten) {
  load(1);
  auto first = connect(), second = connect();
  EXPECT_FALSE(connect());
  EXPECT_NE(elements_of("connections"), "");
  first.reset();
  second.reset();
  EXPECT_TRUE(becomes_true([&] { return elements_of("connections").empty(); }));
}

/// As a standby does with flows that are copied to it.
TEST_P(NftLimits, ACopyCountsIfItIsAnnouncedBeforeItsEntry) {
  load(1);
  const auto have = table_;
  auto& copies = table_.chains["copies"];
  copies.hook = Hook{Hook::Type::kFilter, Hook::Point::kOutput, -300};
  copies.rules.push_back({{LookupVerdict{{Field::kMark}, "marks"}}, ""});
  auto& marks = table_.sets["marks"];
  marks.key = {Type::kMark};
  marks.verdicts = true;
  marks.elements[KeyBuilder().add_slot(netlink::TcpProber::kAnnouncement).take()] = {Verdict{Verdict::Kind::kGoto, "copy"}, ""};
  table_.chains["copy"].rules = {{{LimitClientConnections{GetParam(), "connections", 2}}, ""},
                                 {{Verdict{Verdict::Kind::kDrop, ""}}, ""}};
  ASSERT_TRUE(kernel_->commit(dataplane::diff(have, table_)));
  EXPECT_EQ(kernel_->read_table("wsl4").value(), table_);

  const auto prober = bed->a.run([] { return netlink::open_tcp_prober().value(); });
  const auto conntrack = bed->a.run([] { return netlink::conntrack::KernelConntrack::open().value(); });
  std::vector<netlink::conntrack::Flow> copied(2);
  for (std::size_t i = 0; i < copied.size(); ++i) {
    auto& flow = copied[i];
    flow.original = {{*IpAddress::parse(first_client()), static_cast<std::uint16_t>(5000 + i)}, {vip(), 80}};
    flow.reply = {RouterBed::server_end(GetParam()), flow.original.source};
    flow.timeout = std::chrono::seconds(600);
    flow.tcp_state = netlink::conntrack::TcpState::kEstablished;
    const auto told = prober->announce(netlink::Protocol::kTcp, flow.original.source, flow.original.destination);
    ASSERT_TRUE(told) << told.error().message();
    ASSERT_EQ(conntrack->insert({&flow, 1}).value(), std::vector<int>{0});
  }
  const auto begin = Clock::now();
  while (Clock::now() < begin + std::chrono::seconds(3))
    ASSERT_FALSE(connect()) << "the kernel forgets clients without flows each second";
  EXPECT_EQ(conntrack->erase(std::span(copied).first(1)).value(), 1U);
  std::optional<Connection> first;
  EXPECT_TRUE(becomes_true([&] { return (first = connect()).has_value(); }));
  EXPECT_FALSE(connect());
  EXPECT_EQ(conntrack->erase(std::span(copied).last(1)).value(), 1U);
}

TEST_P(NftLimits, AnotherClientHasItsOwnCount) {
  load(1);
  const auto first = connect(), second = connect();
  EXPECT_FALSE(connect());
  if (!ipv4()) {
    connect_from("2001:db8:1::77");
    EXPECT_FALSE(connect()) << "of the same /64";
  }
  connect_from(other_client());
  const auto third = connect(), fourth = connect();
  EXPECT_TRUE(third && fourth);
  EXPECT_FALSE(connect());
}

TEST_P(NftLimits, AFullSetLimitsNobodyElse) {
  load(1, 1);
  const auto first = connect(), second = connect();
  connect_from(other_client());
  std::vector<std::optional<Connection>> others;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(others.emplace_back(connect()));
  EXPECT_EQ(refused(), 0U);
  connect_from(first_client());
  EXPECT_FALSE(connect());
}

TEST_P(NftLimits, ABurstPassesAndThenTheRate) {
  load(2);
  const auto begin = Clock::now();
  int passed = 0;
  EXPECT_TRUE(becomes_true([&] {
    if (!connect()) return true;
    ++passed;
    return false;
  }));
  EXPECT_GE(passed, 3);
  EXPECT_LE(passed, 3 + (Clock::now() - begin) / std::chrono::seconds(1));
  EXPECT_EQ(refused(), 1U);
  EXPECT_TRUE(becomes_true([&] { return connect().has_value(); })) << "one a second";
  EXPECT_TRUE(becomes_true([&] { return elements_of("rates").empty(); })) << "an idle client is forgotten";
}

TEST_P(NftLimits, AListedClientIsRefused) {
  load(0);
  EXPECT_TRUE(connect());
  const auto address = IpAddress::parse(ipv4() ? "198.18.1.10" : "2001:db8:1::").value();
  Transaction list("wsl4");
  list.add(AddElements{"over", table_.sets.at("over"), {{KeyBuilder().add(address).take(), {}}}});
  ASSERT_TRUE(kernel_->commit(list));
  EXPECT_FALSE(connect());
  connect_from(other_client());
  EXPECT_TRUE(connect());
}

INSTANTIATE_TEST_SUITE_P(Families, NftLimits, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& family) { return family.param == Family::kIpv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace wsl4::test
