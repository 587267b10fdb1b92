// Source translation from port blocks with real connections: a block is filled to its last port.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <regex>
#include <set>
#include <thread>

#include "netlink/nft/nftables.h"
#include "tests/support/router_bed.h"
#include "tests/support/sample_tables.h"

namespace wsl4::test {
namespace {

using netlink::Endpoint;
using netlink::Family;
using netlink::IpAddress;
using namespace netlink::nft;

constexpr std::uint16_t kFirstPort = 512, kPorts = 128;

class NftBlocks : public testing::TestWithParam<Family> {
 protected:
  static void SetUpTestSuite() { bed = std::make_unique<RouterBed>(); }
  static void TearDownTestSuite() { bed.reset(); }

  /// All TCP that comes to a virtual address goes to the server, from one block of the pool's address.
  void SetUp() override {
    auto table = port_blocks(GetParam());
    table.sets["blocks"] = blocks_of(ipv4() ? bed->snat4 : bed->snat6, 1, kFirstPort, kPorts);
    std::get<SnatFromBlocks>(table.chains["postrouting"].rules[0].statements[1]).selector.modulus = 1;
    send_to(table, "prerouting", RouterBed::server_end(GetParam()));
    const auto kernel = bed->a.run([] { return KernelNftables::open().value(); });
    const auto committed = kernel->commit(build_table(table));
    ASSERT_TRUE(committed) << committed.error().message();
    refused_before_ = all_refused();
  }
  void TearDown() override { bed->a.must("nft delete table inet wsl4"); }

  static bool ipv4() { return GetParam() == Family::kIpv4; }
  [[nodiscard]] const IpAddress& vip() const { return ipv4() ? bed->vip4 : bed->vip6; }

  /// Flows that the kernel found no port for, in this test.
  [[nodiscard]] int refused() const { return all_refused() - refused_before_; }
  [[nodiscard]] static int all_refused() {
    const auto statistics = bed->a.must("conntrack -S");
    const std::regex field("insert_failed=([0-9]+)");
    int sum = 0;
    for (std::sregex_iterator match(statistics.begin(), statistics.end(), field), end; match != end; ++match)
      sum += std::stoi((*match)[1]);
    return sum;
  }
  void wait_until_refused() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (refused() == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "nothing was refused";
      std::this_thread::yield();
    }
  }
  /// Both ends are gone at once, and the flow's entry too.
  void end(Connection& connection) const {
    const linger at_once{1, 0};
    for (auto* socket : {&connection.client, &connection.server}) {
      ::setsockopt(socket->get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      socket->reset();
    }
    bed->a.must("conntrack -D -p tcp --orig-src " + connection.client_end.address.to_string() + " --orig-port-src " +
                std::to_string(connection.client_end.port));
  }

  static inline std::unique_ptr<RouterBed> bed;
  int refused_before_ = 0;
};

TEST_P(NftBlocks, ABlockIsFilledToItsLastPort) {
  std::vector<Connection> connections;
  std::set<Endpoint> sources, block;
  for (std::uint16_t port = kFirstPort; port < kFirstPort + kPorts; ++port) {
    block.insert({ipv4() ? bed->snat4 : bed->snat6, port});
    connections.push_back(bed->connect(vip()));
    sources.insert(connections.back().seen_end);
  }
  EXPECT_EQ(sources, block);
  EXPECT_EQ(refused(), 0);

  bed->knock_unanswered(vip());
  wait_until_refused();

  auto& gone = connections.at(57);
  const auto free = gone.seen_end;
  end(gone);
  EXPECT_EQ(bed->connect(vip()).seen_end, free);
}

INSTANTIATE_TEST_SUITE_P(Families, NftBlocks, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& family) { return family.param == Family::kIpv4 ? "Ipv4" : "Ipv6"; });

}  // namespace
}  // namespace wsl4::test
