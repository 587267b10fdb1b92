#include "daemon/runtime/port_balancer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/desired_states.h"
#include "tests/support/fake_nftables.h"

namespace wsl4::runtime {
namespace {

using namespace std::chrono_literals;
using dataplane::kTableName;
using flows::FlowCounter;
using netlink::conntrack::Flow;

const service::MarkLayout kMark;
constexpr std::uint32_t kPorts = 1024;  // of each pool address: 8 blocks

/// Service chat with backend b1 (number 1) and b2 (2) over two pool addresses.
service::DesiredState two_backends_in_blocks() {
  service::DesiredState state;
  state.pools["main"] = test::make_pool("main", {"198.18.1.1", "198.18.1.2"});
  state.pools["main"].port_min = 1024;
  state.pools["main"].port_max = 1024 + kPorts - 1;
  state.services["chat"] = test::make_service("chat", {"198.18.0.10:443"}, {"198.18.2.1:80", "198.18.2.2:80"});
  return state;
}

class PortBalancerTest : public testing::Test {
 protected:
  void SetUp() override { apply(two_backends_in_blocks()); }

  /// With their blocks dealt; the service is part of it even if only its pool differs.
  service::StateChange change_to(const service::DesiredState& next) {
    auto change = test::difference(applier_.state(), next);
    for (const auto& name : ports_.services_of(change.pools)) change.services.try_emplace(name, next.services.at(name));
    ports_.deal_all(change);
    return change;
  }
  void apply(const service::DesiredState& next) {
    ASSERT_TRUE(applier_.apply(change_to(next)));
    ports_.applied();
  }

  /// Towards backend `id`: its own, or those of `number`, a backend of another service with the same endpoint.
  Flow flow(service::BackendId id, int address, std::uint32_t n, service::BackendId number = 0) const {
    Flow flow;
    flow.original = {test::endpoint("198.19.0.1:1"), test::endpoint("198.18.0.10:443")};
    flow.reply.source = test::endpoint("198.18.2." + std::to_string(id) + ":80");
    flow.original.source.port = static_cast<std::uint16_t>(n + 5000U * id);
    flow.original.source.address = test::address("198.19.0." + std::to_string(address));
    flow.reply.destination = {test::address("198.18.1." + std::to_string(address)), static_cast<std::uint16_t>(1024 + n)};
    flow.id = 1 + n + 100'000 * id + 10'000 * static_cast<std::uint32_t>(address);
    flow.mark = kMark.to_mark(number == 0 ? id : number);
    flow.status = netlink::conntrack::status::kAssured;
    return flow;
  }
  void begin(service::BackendId id, int address, std::uint32_t from, std::uint32_t to, service::BackendId number = 0) {
    for (auto n = from; n < to; ++n) counter_.see(flow(id, address, n, number));
    ports_.counts_changed();
  }
  void end(service::BackendId id, int address, std::uint32_t from, std::uint32_t to, service::BackendId number = 0) {
    for (auto n = from; n < to; ++n) counter_.forget(flow(id, address, n, number));
    ports_.counts_changed();
  }
  void run_until(const std::function<bool()>& done) {
    while (!done()) ASSERT_GT(io_.run_one_for(20s), 0U) << "nothing is due any more";
  }
  [[nodiscard]] const std::map<service::BackendId, std::vector<balance::PortBlock>>& blocks() const {
    return applier_.state().services.at("chat").blocks;
  }
  void expect_kernel_as_planned() { EXPECT_EQ(*kernel_.read_table(kTableName).value(), dataplane::plan(applier_.state())); }

  boost::asio::io_context io_;
  test::FakeNftables kernel_;
  dataplane::Applier applier_{kernel_, {}};
  FlowCounter counter_{kMark};
  int looks_ = 0, rooms_ = 0;
  flows::Reaper::Backends tight_;
  std::vector<std::string> failures_;
  const std::string chat_ = "chat", other_ = "other";
  PortBalancer ports_{io_,
                      {applier_, counter_, [this](service::BackendId id) { return id <= 2 ? &chat_ : &other_; },
                       [this](const netlink::Error& error) { failures_.push_back(error.message()); },
                       [this](const auto& backends) { rooms_ += std::ranges::find(backends, 1U) != backends.end() ? 1 : 0; },
                       [this] { ++looks_; }, [this](flows::Reaper::Backends backends) { tight_ = std::move(backends); }}};
};

TEST_F(PortBalancerTest, BlocksAreDealtFromHalfFullPairsOn) {
  begin(1, 1, 0, kPorts / 2 - 1);
  io_.run_for(300ms);
  EXPECT_TRUE(blocks().empty());
  EXPECT_FALSE(ports_.free_ports(1));
  begin(1, 1, kPorts / 2 - 1, kPorts / 2);
  run_until([&] { return ports_.free_ports(1).has_value(); });
  EXPECT_EQ(rooms_, 1) << "of ports that are known from now on";
  EXPECT_EQ(blocks().size(), 1U) << "the other backend's are not";
  EXPECT_EQ(blocks().at(1).size(), 16U);
  EXPECT_EQ(ports_.free_ports(1), 2 * kPorts - kPorts / 2);
  EXPECT_EQ(looks_, 1) << "half-open flows that are there";
  expect_kernel_as_planned();

  end(1, 1, 0, kPorts / 4);
  run_until([&] { return blocks().empty(); });
  EXPECT_FALSE(ports_.free_ports(1));
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, WhileTheyAreDealtTheKernelIsTold) {
  begin(1, 1, 0, kPorts / 2);
  const auto beats = [&] {
    return std::ranges::count_if(kernel_.committed(), [](const auto& transaction) {
      return std::holds_alternative<netlink::nft::FlushSet>(transaction.operations().front());
    });
  };
  run_until([&] { return beats() >= 3; });
}

TEST_F(PortBalancerTest, AFullPairGetsNothing) {
  begin(1, 1, 0, kPorts);
  run_until([&] { return ports_.free_ports(1).has_value(); });
  const auto& slots = blocks().at(1);
  EXPECT_FALSE(slots.empty());
  for (const auto& block : slots) EXPECT_EQ(block.address, test::address("198.18.1.2"));
}

TEST_F(PortBalancerTest, WhenAllAreFullNothingIsDealtUntilAFlowEnds) {
  begin(1, 1, 0, kPorts);
  begin(1, 2, 0, kPorts);
  run_until([&] { return ports_.free_ports(1) == 0U; });
  EXPECT_TRUE(blocks().at(1).empty());
  end(1, 2, 300, 301);
  run_until([&] { return !blocks().at(1).empty(); });
  EXPECT_EQ(ports_.free_ports(1), 1U);
  for (const auto& block : blocks().at(1)) EXPECT_EQ(block, (balance::PortBlock{test::address("198.18.1.2"), (1024 + 300) / 128}));
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, BlocksAreDealtAnewAsFlowsBegin) {
  begin(1, 1, 0, kPorts * 9 / 10);
  run_until([&] { return ports_.free_ports(1).has_value(); });
  const auto before = blocks().at(1);
  begin(1, 2, 0, kPorts / 2);
  EXPECT_EQ(ports_.free_ports(1), kPorts - kPorts * 9 / 10 + kPorts / 2) << "known at once";
  run_until([&] { return blocks().at(1) != before; });
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, AnAddressThatDoesNotReachTheBackendIsLeftOut) {
  begin(1, 1, 0, kPorts / 2);
  run_until([&] { return blocks().contains(1); });
  auto next = two_backends_in_blocks();
  next.services.at("chat").backends[0].dead_sources = {test::address("198.18.1.2")};
  apply(next);
  ASSERT_FALSE(blocks().at(1).empty());
  for (const auto& block : blocks().at(1)) EXPECT_EQ(block.address, test::address("198.18.1.1"));
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, ADaemonThatStartsDealsAtOnce) {
  begin(2, 1, 0, kPorts * 3 / 4);
  auto all = test::difference({}, two_backends_in_blocks());
  ports_.deal_all(all);
  ASSERT_TRUE(applier_.apply(all));
  ports_.applied();
  EXPECT_TRUE(blocks().contains(2));
  EXPECT_FALSE(blocks().contains(1));
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, AddressesMayLeaveThePool) {
  begin(1, 1, 0, kPorts / 2);
  run_until([&] { return blocks().contains(1); });
  auto next = two_backends_in_blocks();
  next.pools.at("main").addresses.pop_back();
  apply(next);
  EXPECT_EQ(blocks().at(1).size(), 8U);
  apply(two_backends_in_blocks());
  EXPECT_EQ(blocks().at(1).size(), 16U);
  expect_kernel_as_planned();
  EXPECT_EQ(ports_.free_ports(1), 2 * kPorts - kPorts / 2) << "without a flow that begins or ends";
}

TEST_F(PortBalancerTest, FreePortsAreThoseOfTheChangeThatIsBeingMade) {
  begin(1, 1, 0, kPorts);
  run_until([&] { return blocks().contains(1); });
  auto smaller = two_backends_in_blocks();
  smaller.pools.at("main").addresses.pop_back();
  apply(smaller);
  EXPECT_EQ(ports_.free_ports(1), 0U);
  const auto change = change_to(two_backends_in_blocks());
  EXPECT_EQ(ports_.free_ports(1), kPorts) << "the shares of the same change go by them";
  ports_.dropped();
  EXPECT_EQ(ports_.free_ports(1), 0U);
  ASSERT_TRUE(applier_.apply(change_to(two_backends_in_blocks())));
  ports_.applied();
  EXPECT_EQ(ports_.free_ports(1), kPorts);
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, AServiceThatGoesTakesItsBlocksAlong) {
  begin(1, 1, 0, kPorts / 2);
  run_until([&] { return blocks().contains(1); });
  auto next = two_backends_in_blocks();
  next.services.clear();
  apply(next);
  EXPECT_FALSE(ports_.free_ports(1));
  expect_kernel_as_planned();
  io_.run_for(300ms);
  EXPECT_TRUE(failures_.empty());
}

TEST_F(PortBalancerTest, AChangeThatDoesNotNameTheServiceLeavesItsBlocks) {
  begin(1, 1, 0, kPorts / 2);
  run_until([&] { return blocks().contains(1); });
  const auto before = blocks().at(1);
  auto next = applier_.state();
  next.services["other"] = test::make_service("other", {"198.18.0.11:443"}, {"198.18.2.9:80"}, 9);
  apply(next);
  EXPECT_EQ(blocks().at(1), before);
  EXPECT_TRUE(ports_.free_ports(1));
  expect_kernel_as_planned();
}

/// A port is held once, whichever service's flow has it.
TEST_F(PortBalancerTest, ABackendWithoutFlowsSharesThePortsOfItsEndpoint) {
  begin(1, 1, 0, kPorts);
  begin(1, 2, 0, kPorts);
  run_until([&] { return ports_.free_ports(1) == 0U; });
  auto next = applier_.state();
  next.services["other"] = test::make_service("other", {"198.18.0.11:443"}, {"198.18.2.1:80", "198.18.2.2:80"}, 8);
  apply(next);
  EXPECT_EQ(ports_.free_ports(8), 0U) << "from its first moment";
  EXPECT_TRUE(applier_.state().services.at("other").blocks.contains(8));
  EXPECT_FALSE(ports_.free_ports(9));
  expect_kernel_as_planned();

  next = applier_.state();
  next.services.erase("chat");  // "other" is its new name
  apply(next);
  EXPECT_EQ(ports_.free_ports(8), 0U);
  end(1, 1, 0, 100);
  run_until([&] { return !applier_.state().services.at("other").blocks.at(8).empty(); });
  EXPECT_EQ(ports_.free_ports(8), 100U);
  run_until([&] { return tight_.contains(1) && tight_.contains(8); });  // entries of closed flows bear the old number
}

/// Else its share goes by what was free when its own flows last changed.
TEST_F(PortBalancerTest, ABackendIsToldOfRoomThatAnotherServicesFlowsTakeAndGive) {
  auto next = applier_.state();
  next.services["other"] = test::make_service("other", {"198.18.0.11:443"}, {"198.18.2.1:80"}, 8);
  apply(next);
  begin(1, 1, 0, kPorts, 8);
  begin(1, 2, 0, kPorts - 200, 8);
  run_until([&] { return ports_.free_ports(1) == 200U; });
  rooms_ = 0;
  begin(1, 2, kPorts - 200, kPorts, 8);
  run_until([&] { return rooms_ > 0; });
  EXPECT_EQ(ports_.free_ports(1), 0U);
  rooms_ = 0;
  end(1, 1, 0, 100, 8);
  run_until([&] { return rooms_ > 0; });
  EXPECT_EQ(ports_.free_ports(1), 100U);
  rooms_ = 0;
  end(1, 1, 100, kPorts, 8);
  end(1, 2, 0, kPorts, 8);
  run_until([&] { return !ports_.free_ports(1).has_value(); });
  EXPECT_GT(rooms_, 0) << "of the whole range";
}

TEST_F(PortBalancerTest, BlocksOfABackendWithoutFlowsBeginWithThoseOfItsEndpoint) {
  auto next = applier_.state();
  next.services["other"] = test::make_service("other", {"198.18.0.11:443"}, {"198.18.2.1:80"}, 8);
  apply(next);
  begin(1, 1, 0, kPorts / 2);
  run_until([&] { return ports_.free_ports(1).has_value(); });
  EXPECT_EQ(ports_.free_ports(8), ports_.free_ports(1));
  expect_kernel_as_planned();
}

TEST_F(PortBalancerTest, TightBackendsAreTold) {
  begin(1, 1, 0, kPorts * 86 / 100);
  run_until([&] { return tight_.contains(1); });
  end(1, 1, 0, kPorts * 4 / 100);
  io_.run_for(300ms);
  EXPECT_TRUE(tight_.contains(1)) << "not in and out";
  end(1, 1, kPorts * 4 / 100, kPorts * 7 / 100);
  run_until([&] { return tight_.empty(); });
}

TEST_F(PortBalancerTest, WhenAllWillBeFullIsForeseen) {
  begin(1, 1, 0, kPorts * 6 / 10);
  std::uint32_t begun = 0;
  const auto start = std::chrono::steady_clock::now();
  while (!ports_.full_in("chat")) {
    ASSERT_GT(io_.run_one_for(20s), 0U);
    if (std::chrono::steady_clock::now() < start + (begun + 1) * 100ms || begun == kPorts) continue;
    begin(1, 2, begun, begun + 1);
    ++begun;
  }
  EXPECT_GT(*ports_.full_in("chat"), 10s);  // 3,000 ports are left, 10 a second go
  EXPECT_LT(*ports_.full_in("chat"), 3000s);
  EXPECT_FALSE(ports_.full_in("other"));
}

/// Its own flows do not grow.
TEST_F(PortBalancerTest, WhenAllWillBeFullIsForeseenByWhatOtherServicesTakeToo) {
  auto next = applier_.state();
  next.services["other"] = test::make_service("other", {"198.18.0.11:443"}, {"198.18.2.1:80"}, 8);
  apply(next);
  begin(1, 1, 0, kPorts * 6 / 10);
  std::uint32_t begun = 0;
  const auto start = std::chrono::steady_clock::now();
  while (!ports_.full_in("chat") || !ports_.full_in("other")) {
    ASSERT_GT(io_.run_one_for(20s), 0U);
    if (std::chrono::steady_clock::now() < start + (begun + 1) * 100ms || begun == kPorts) continue;
    begin(1, 2, begun, begun + 1, 8);
    ++begun;
  }
  EXPECT_LT(*ports_.full_in("other"), *ports_.full_in("chat")) << "which has another backend";
}

TEST_F(PortBalancerTest, WhatTheKernelRefusesIsTold) {
  begin(1, 1, 0, kPorts / 2);
  run_until([&] { return ports_.free_ports(1).has_value(); });
  kernel_.fail_next_commit({EIO, "commit"});
  run_until([&] { return !failures_.empty(); });
}

}  // namespace
}  // namespace wsl4::runtime
