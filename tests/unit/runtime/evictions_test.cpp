#include "daemon/runtime/evictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fake_conntrack.h"
#include "tests/support/recording_prober.h"

namespace wsl4::runtime {
namespace {

using netlink::Endpoint;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const service::MarkLayout kAnyMark;
constexpr std::uint16_t kFlows = 600;

service::ServiceState two_backends(const char* second = "198.18.2.12:80") {
  service::ServiceState service;
  service.name = "chat";
  for (service::BackendId id : {1U, 2U}) {
    auto& backend = service.backends.emplace_back();
    backend.id = id;
    backend.address = *Endpoint::parse(id == 1 ? "198.18.2.11:80" : second);
    backend.share_weight = 100;
  }
  return service;
}

/// All flows are the first backend's.
class EvictionsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (std::uint16_t port = 1; port <= kFlows; ++port) {
      netlink::conntrack::Flow flow;
      flow.original = {{*netlink::IpAddress::parse("198.18.1.10"), port}, *Endpoint::parse("198.18.1.100:443")};
      flow.reply = {*Endpoint::parse("198.18.2.11:80"), {*netlink::IpAddress::parse("198.18.2.101"), port}};
      flow.mark = kAnyMark.to_mark(1);
      flow.tcp_state = netlink::conntrack::TcpState::kEstablished;
      kernel.add(flow);
    }
  }

  boost::asio::io_context io;
  test::FakeConntrack kernel;
  test::RecordingProber prober;
  flows::FlowEnder ender{kernel, prober};
  Evictions evictions{io, flows::Evictor(kernel, ender, kAnyMark),
                      [this](service::BackendId backend) { return backend == 1 ? std::uint64_t{kernel.size()} : 0U; },
                      [this](const std::string& service, const std::string& why) { told.push_back(service + ": " + why); }};
  std::vector<std::string> told;
};

TEST_F(EvictionsTest, ARebalanceGoesOnUntilAllAreEven) {
  EXPECT_EQ(evictions.rebalance(two_backends(), 1e6), 297U) << "less a hundredth of a fair part";
  io.run();
  EXPECT_EQ(kernel.size(), kFlows - 297U) << "clients have not come back: no more than at first";
  EXPECT_THAT(told, ElementsAre("chat: done"));
}

TEST_F(EvictionsTest, ClientsOfOneFamilyCannotComeBackToTheOther) {
  EXPECT_EQ(evictions.rebalance(two_backends("[2001:db8:b::12]:80"), 1e6), 0U);
  io.run();
  EXPECT_EQ(kernel.size(), kFlows);
}

TEST_F(EvictionsTest, HoweverManyASecondTheyAreEndedInSmallPieces) {
  evictions.set_drains({{1, 1e6}});
  std::size_t most = 0;
  while (kernel.size() > 0) {
    const auto before = kernel.size();
    io.run_one();
    most = std::max(most, before - kernel.size());
  }
  EXPECT_EQ(most, 200U);
}

TEST_F(EvictionsTest, ARebalanceEndsWithTheRoleAndWithItsService) {
  for (const bool with_service : {false, true}) {
    EXPECT_GT(evictions.rebalance(two_backends(), 100), 0U);
    const auto before = kernel.size();
    while (kernel.size() == before) io.run_one();
    const auto then = kernel.size();
    if (with_service) {
      evictions.set_services({});
    } else {
      evictions.end_rebalances();
    }
    io.run();
    io.restart();
    EXPECT_EQ(kernel.size(), then);
  }
  EXPECT_THAT(told, ElementsAre(HasSubstr("does not serve"), "chat: the service has gone"));
}

TEST_F(EvictionsTest, WhoStopsARebalanceIsNotToldThatItEnded) {
  evictions.rebalance(two_backends(), 100);
  evictions.rebalance(two_backends(), 0);
  io.run();
  EXPECT_THAT(told, IsEmpty());
}

}  // namespace
}  // namespace wsl4::runtime
