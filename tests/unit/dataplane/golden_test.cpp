// The ruleset as an operator reads it. After an intended change write the texts anew: WSL4_WRITE_GOLDEN=1 unit_dataplane, and look
// at what git says has changed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "daemon/dataplane/diff.h"
#include "tests/support/desired_states.h"

namespace wsl4::dataplane {
namespace {

service::DesiredState one_service() {
  service::DesiredState state;
  state.pools["main"] = test::make_pool("main", {"198.18.1.1", "198.18.1.2"});
  state.services["chat"] = test::make_service("chat", {"198.18.0.10:443"}, {"198.18.2.1:8888", "198.18.2.2:8888"});
  return state;
}

void expect_golden(const std::string& name, const netlink::nft::Transaction& transaction) {
  const auto path = std::string(WSL4_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("WSL4_WRITE_GOLDEN") != nullptr) std::ofstream(path) << transaction.to_text();
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " cannot be read";
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), transaction.to_text());
}

TEST(Golden, OneService) { expect_golden("one_service.nft", netlink::nft::build_table(plan(one_service()))); }

TEST(Golden, BothFamiliesProtocolsAndModesOnAnOldKernel) {
  auto state = test::two_services();
  state.double_dnat = true;
  state.services.at("chat").scheduler = config::Scheduler::kRandom;
  state.services.at("chat").backends[0].name = "198.18.2.1:8888";
  expect_golden("two_services_old_kernel.nft", netlink::nft::build_table(plan(state)));
}

TEST(Golden, PortsInBlocks) {
  service::DesiredState state;
  state.pools["main"] = test::make_pool("main", {"198.18.1.1", "198.18.1.2"});
  state.services["chat"] = test::make_service("chat", {"198.18.0.10:443"}, {"198.18.2.1:8888"});
  const Mirror mirror(state);
  state.services.at("chat").blocks[1] = {{test::address("198.18.1.1"), 0}, {test::address("198.18.1.2"), 511}};
  auto transition = mirror.transition(test::difference(mirror.state(), state));
  transition.append(go_on_dealing());
  expect_golden("blocks.nft", transition);
}

TEST(Golden, TakingTheRoleEmptiesTwoSets) {
  auto state = one_service();
  state.gate = service::Gate::kStandby;
  expect_golden("standby.nft", netlink::nft::build_table(plan(state)));
  const Mirror mirror(state);
  expect_golden("takeover.nft", mirror.transition(service::Gate::kOpen));
}

TEST(Gate, IsFoundAgainInTheTable) {
  auto state = one_service();
  EXPECT_EQ(gate_of(plan(state)), std::nullopt) << "a single node has none";
  for (const auto gate : {service::Gate::kOpen, service::Gate::kFence, service::Gate::kStandby}) {
    state.gate = gate;
    EXPECT_EQ(gate_of(plan(state)), gate);
  }
}

TEST(Golden, ABackendIsReweightedAndAnotherLeaves) {
  auto state = test::two_services();
  const Mirror mirror(state);
  state.services.at("chat").backends[0].share_weight = 300;
  state.services.at("dns").backends.pop_back();
  expect_golden("transition.nft", mirror.transition(test::difference(mirror.state(), state)));
}

}  // namespace
}  // namespace wsl4::dataplane
