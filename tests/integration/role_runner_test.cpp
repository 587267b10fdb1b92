// When a pair's node takes part in the election. Who wins is the concern of election/ and its simulation.
#include "daemon/pair/role_runner.h"

#include <gtest/gtest.h>

#include <chrono>

#include <boost/asio/post.hpp>

#include "daemon/config/load.h"
#include "tests/support/eventually.h"
#include "tests/support/namespace.h"

namespace wsl4::pair {
namespace {

using namespace std::chrono_literals;
using election::Role;

constexpr const char* kConfig = R"(
[node]
name = "lb-a"
[ha]
listen = "198.18.3.1:4440"
peer = "198.18.3.2:4440"
key_file = "/nowhere"
interface = "card"
priority = 100
[[pool]]
name = "main"
addresses = ["198.18.0.100"]
[[service]]
name = "chat"
listen = ["198.18.0.10:443"]
pool = "main"
[[service.backend]]
name = "b1"
address = "198.18.0.50:80"
)";

struct RoleRunnerTest : testing::Test {
  RoleRunnerTest() {
    here.link("card", there, "peer");
    here.must("ip addr add 198.18.0.1/24 dev card");
  }
  RoleRunner::Callbacks callbacks() {
    RoleRunner::Callbacks callbacks;
    callbacks.set_gate = [this](service::Gate, RoleRunner::Then then) { boost::asio::post(io, std::move(then)); };
    callbacks.catch_up = [this](RoleRunner::Then then) { boost::asio::post(io, std::move(then)); };
    callbacks.spare_present = [](bool) {};
    callbacks.tell = [](const election::PeerState&) {};
    callbacks.on_role = [this](Role role, election::Cause) { roles.push_back(role); };
    callbacks.on_event = [](const std::string&, const std::string&) {};
    return callbacks;
  }
  static Replication::Callbacks no_copies() {
    Replication::Callbacks callbacks;
    callbacks.on_event = [](const sync::Event&) {};
    callbacks.wake = callbacks.on_heartbeat = callbacks.on_progress = [] {};
    return callbacks;
  }

  test::Namespace here{"runner"}, there{"runner-peer"};
  config::Config config = config::parse(kConfig, "test").value();
  boost::asio::io_context io;
  Replication replication{io, {}, no_copies()};
  std::vector<Role> roles;
};

// A node's start may take longer than it waits for the other one: it reads the kernel's tables before it listens to anybody.
TEST_F(RoleRunnerTest, TakesNoRoleBeforeItIsStarted) {
  const auto opened = here.run([&] { return RoleRunner::open(io, config, {}, replication, callbacks()); });
  ASSERT_TRUE(opened) << opened.error();
  auto& runner = **opened;
  const auto alone = std::chrono::steady_clock::now() + election::RoleMachine::kStartPatience;
  ASSERT_TRUE(test::eventually([&] { return std::chrono::steady_clock::now() > alone; }));
  runner.set_priority(200);
  io.poll();
  EXPECT_TRUE(roles.empty());
  EXPECT_EQ(runner.state().role, Role::kInit);

  runner.start();
  while (roles.empty() || roles.back() != Role::kActive) ASSERT_GT(io.run_one_for(20s), 0U);
  EXPECT_EQ(runner.priority(), 200);
}

}  // namespace
}  // namespace wsl4::pair
