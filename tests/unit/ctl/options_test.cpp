#include "daemon/ctl/options.h"

#include <gtest/gtest.h>

#include "tests/unit/ctl/ctl_bed.h"

namespace wsl4::ctl {
namespace {

TEST(CommandLine, GlobalOptionsStandBeforeOrBehindTheCommand) {
  for (const auto& arguments : {Arguments{"--json", "--socket", "/s", "status"}, Arguments{"status", "--json", "--socket=/s"},
                                Arguments{"--socket", "/s", "status", "--json"}}) {
    const auto options = parse_options(arguments);
    ASSERT_TRUE(options) << options.error().why;
    EXPECT_EQ(options->command, Command::kStatus);
    EXPECT_TRUE(options->json);
    EXPECT_EQ(options->socket, "/s");
    EXPECT_TRUE(options->socket_given);
  }
}

TEST(CommandLine, HasDefaults) {
  const auto options = parse_options({"status"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->socket, "/run/wsl4/wsl4d.sock");
  EXPECT_FALSE(options->socket_given || options->json || options->watch);
  EXPECT_EQ(parse_options({"check"})->config, "/etc/wsl4/wsl4.toml");
  EXPECT_EQ(parse_options({"flows"})->flows.limit, 100U);
}

TEST(CommandLine, TakesEveryCommand) {
  EXPECT_TRUE(parse_options({"status", "--watch"})->watch);
  EXPECT_EQ(parse_options({"check", "/tmp/x.toml"})->config, "/tmp/x.toml");
  EXPECT_TRUE(parse_options({"reload", "--dry-run"})->dry_run);
  EXPECT_TRUE(parse_options({"events", "--follow"})->follow);
  EXPECT_EQ(parse_options({"purge"})->command, Command::kPurge);
  EXPECT_TRUE(parse_options({"purge", "--dry-run"})->dry_run);
  EXPECT_EQ(parse_options({"keygen"})->key_file, std::nullopt);
  EXPECT_EQ(parse_options({"keygen", "/tmp/x.key"})->key_file, "/tmp/x.key");
  const auto flows = parse_options(
      {"flows", "--service", "s", "--backend", "b", "--client", "2001:db8::1", "--snat", "[2001:db8::2]:5", "--limit", "7"});
  ASSERT_TRUE(flows) << flows.error().why;
  EXPECT_EQ(flows->flows.service, "s");
  EXPECT_EQ(flows->flows.backend, "b");
  EXPECT_EQ(flows->flows.client, "2001:db8::1");
  EXPECT_EQ(flows->flows.snat, "[2001:db8::2]:5");
  EXPECT_EQ(flows->flows.limit, 7U);
}

TEST(CommandLine, TakesEveryChangeOfABackend) {
  const std::vector<std::pair<const char*, Command>> plain{{"remove", Command::kBackendRemove},
                                                           {"enable", Command::kBackendEnable},
                                                           {"disable", Command::kBackendDisable},
                                                           {"reset", Command::kBackendReset}};
  for (const auto& [name, command] : plain) {
    const auto options = parse_options({"backend", name, "chat", "b1"});
    ASSERT_TRUE(options) << options.error().why;
    EXPECT_EQ(options->command, command);
    EXPECT_EQ(options->change.service, "chat");
    EXPECT_EQ(options->change.backend, "b1");
  }
  const auto add = parse_options({"backend", "add", "--weight", "50", "chat", "b4", "[2001:db8::1]:80", "--max-connections", "9",
                                  "--public", "wss://b4.example.com/ws"});
  ASSERT_TRUE(add) << add.error().why;
  EXPECT_EQ(add->command, Command::kBackendAdd);
  EXPECT_EQ(add->change.address, "[2001:db8::1]:80");
  EXPECT_EQ(add->change.weight, 50);
  EXPECT_EQ(add->change.max_connections, 9);
  EXPECT_EQ(add->change.public_address, "wss://b4.example.com/ws");
  const auto drain = parse_options({"backend", "drain", "chat", "b1", "--evict", "20"});
  ASSERT_TRUE(drain) << drain.error().why;
  EXPECT_EQ(drain->change.evict, 20);
  EXPECT_EQ(parse_options({"backend", "weight", "chat", "b1", "0"})->change.weight, 0);
  EXPECT_EQ(parse_options({"rebalance", "chat", "--rate", "50"})->change.rate, 50);
  EXPECT_EQ(parse_options({"pick", "chat"})->command, Command::kPick);
}

TEST(CommandLine, JsonStandsAnywhereAroundACommandOfTwoWords) {
  for (const auto& arguments :
       {Arguments{"--json", "backend", "reset", "chat", "b1"}, Arguments{"backend", "--json", "reset", "chat", "b1"},
        Arguments{"backend", "reset", "--json", "chat", "b1"}, Arguments{"backend", "reset", "chat", "b1", "--json"}}) {
    const auto options = parse_options(arguments);
    ASSERT_TRUE(options) << options.error().why;
    EXPECT_TRUE(options->json);
    EXPECT_EQ(options->change.backend, "b1");
  }
}

// A service may be called as a command is.
TEST(CommandLine, NamesMayBeThoseOfCommands) {
  const auto options = parse_options({"backend", "drain", "status", "add"});
  ASSERT_TRUE(options) << options.error().why;
  EXPECT_EQ(options->command, Command::kBackendDrain);
  EXPECT_EQ(options->change.service, "status");
  EXPECT_EQ(options->change.backend, "add");
  EXPECT_EQ(parse_options({"pick", "backend"})->change.service, "backend");
}

TEST(CommandLine, AnUnknownCommandIsNamed) {
  for (const auto& arguments : {Arguments{"dance"}, Arguments{"--json", "dance"}, Arguments{"backend", "dance"}}) {
    const auto options = parse_options(arguments);
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().why, "there is no command 'dance'; see wsl4ctl --help");
  }
}

TEST(CommandLine, WrongUsageIsStatus2AndOneLine) {
  for (const auto& arguments : {Arguments{},
                                Arguments{"--json"},
                                Arguments{"dance"},
                                Arguments{"status", "--colour"},
                                Arguments{"status", "extra"},
                                Arguments{"flows", "--limit", "many"},
                                Arguments{"flows", "--client", "somebody"},
                                Arguments{"flows", "--client", "198.18.0.1:80"},
                                Arguments{"flows", "--snat", "198.18.0.1"},
                                Arguments{"flows", "--limit", "100001"},
                                Arguments{"status", "--socket"},
                                Arguments{"status", "reload"},
                                Arguments{"backend"},
                                Arguments{"backend", "dance"},
                                Arguments{"backend", "add", "chat", "b1"},
                                Arguments{"backend", "reset", "chat"},
                                Arguments{"backend", "reset", "chat", "b1", "b2"},
                                Arguments{"backend", "weight", "chat", "b1", "much"},
                                Arguments{"backend", "drain", "chat", "b1", "--evict"},
                                Arguments{"backend", "remove", "chat", "b1", "--evict", "5"},
                                Arguments{"backend", "drain", "", "b1"},
                                Arguments{"backend", "drain", "chat", ""},
                                Arguments{"backend", "drain", "chat", "b1", "--evict", "99999999999999999999"},
                                Arguments{"backend", "weight", "chat", "b1", "99999999999999999999"},
                                Arguments{"rebalance", "chat"},
                                Arguments{"rebalance", "chat", "--rate", "99999999999999999999"},
                                Arguments{"rebalance", "", "--rate", "5"},
                                Arguments{"pick", ""},
                                Arguments{"flows", "--service", ""},
                                Arguments{"rebalance", "--rate", "5"},
                                Arguments{"pick"},
                                Arguments{"failover", "lb-b"},
                                Arguments{"failover", "--forced"},
                                Arguments{"promote", "--force"},
                                Arguments{"demote", "lb-a"}}) {
    const auto options = parse_options(arguments);
    ASSERT_FALSE(options) << testing::PrintToString(arguments);
    const auto& ending = options.error();
    EXPECT_EQ(ending.status, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(ending.out, "");
    EXPECT_TRUE(ending.why.ends_with("; see wsl4ctl --help")) << ending.why;
    EXPECT_EQ(ending.why.find('\n'), std::string::npos) << ending.why;
  }
}

TEST(CommandLine, ChangesOfRole) {
  const auto failover = parse_options({"failover"});
  ASSERT_TRUE(failover);
  EXPECT_EQ(failover->command, Command::kFailover);
  EXPECT_FALSE(failover->force);
  EXPECT_TRUE(parse_options({"--json", "failover", "--force"})->force);
  EXPECT_EQ(parse_options({"promote"})->command, Command::kPromote);
  EXPECT_EQ(parse_options({"demote", "--json"})->command, Command::kDemote);
}

TEST(CommandLine, HelpAndVersionAreNoErrors) {
  const auto help = parse_options({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().status, 0);
  for (const char* command : {"status", "check", "reload", "backend", "rebalance", "pick", "flows", "failover", "promote", "demote",
                              "events", "keygen", "purge"}) {
    EXPECT_NE(help.error().out.find(command), std::string::npos) << command;
  }
  EXPECT_NE(parse_options({"flows", "--help"}).error().out.find("--snat"), std::string::npos);
  EXPECT_NE(parse_options({"backend", "--help"}).error().out.find("drain"), std::string::npos);
  EXPECT_NE(parse_options({"backend", "drain", "--help"}).error().out.find("--evict"), std::string::npos);
  EXPECT_EQ(parse_options({"--version"}).error().out, "wsl4ctl " WSL4_VERSION "\n");
}

}  // namespace
}  // namespace wsl4::ctl
