// failover, promote and demote: what they ask of the daemon, and what they say.
#include "tests/unit/ctl/ctl_bed.h"

namespace wsl4::ctl {
namespace {

TEST_F(Wsl4ctl, Failover) {
  serve();
  EXPECT_EQ(run_with({"failover"}), 0) << err_;
  EXPECT_EQ(out_, "lb-b is active\n");
  EXPECT_EQ(run_with({"failover", "--force", "--json"}), 0) << err_;
  EXPECT_EQ(out_, "{\"detail\": \"lb-b is active\"}\n");
  thread_.stop();
  EXPECT_EQ(node_.failovers, (std::vector<bool>{false, true}));
}

TEST_F(Wsl4ctl, PromoteAndDemote) {
  serve();
  EXPECT_EQ(run_with({"promote"}), 0) << err_;
  EXPECT_EQ(out_, "this node is active\n");
  EXPECT_EQ(run_with({"demote"}), 0) << err_;
  thread_.stop();
  EXPECT_EQ(node_.roles, (std::vector<bool>{true, false}));
}

TEST_F(Wsl4ctl, ARefusedChangeOfRoleIsOneLine) {
  const control::Refusal refusal{409, "the peer is not synced: wait, or lose connections with --force", {}};
  node_.failover_answer = node_.role_answer = tl::make_unexpected(refusal);
  serve();
  for (const char* command : {"failover", "promote", "demote"}) {
    EXPECT_EQ(run_with({command}), 1);
    EXPECT_EQ(err_, "wsl4ctl: the peer is not synced: wait, or lose connections with --force\n");
    EXPECT_EQ(out_, "");
  }
}

TEST_F(Wsl4ctl, ChangesOfRoleNeedTheDaemon) {
  for (const char* command : {"failover", "promote", "demote"}) EXPECT_EQ(run_with({command}), 3) << command;
}

}  // namespace
}  // namespace wsl4::ctl
