#include "daemon/ctl/options.h"

#include <gtest/gtest.h>

namespace wsl4::ctl {
namespace {

using Arguments = std::vector<std::string>;

TEST(CommandLine, GlobalOptionsStandBeforeOrBehindTheCommand) {
  for (const auto& arguments : {Arguments{"--json", "--socket", "/s", "status"}, Arguments{"status", "--json", "--socket=/s"},
                                Arguments{"--socket", "/s", "status", "--json"}}) {
    const auto options = parse_options(arguments);
    ASSERT_TRUE(options) << options.error().err;
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
  const auto flows = parse_options(
      {"flows", "--service", "s", "--backend", "b", "--client", "2001:db8::1", "--snat", "[2001:db8::2]:5", "--limit", "7"});
  ASSERT_TRUE(flows) << flows.error().err;
  EXPECT_EQ(flows->flows.service, "s");
  EXPECT_EQ(flows->flows.backend, "b");
  EXPECT_EQ(flows->flows.client, "2001:db8::1");
  EXPECT_EQ(flows->flows.snat, "[2001:db8::2]:5");
  EXPECT_EQ(flows->flows.limit, 7U);
}

TEST(CommandLine, WrongUsageIsStatus2AndOneLine) {
  for (const auto& arguments :
       {Arguments{}, Arguments{"--json"}, Arguments{"dance"}, Arguments{"status", "--colour"}, Arguments{"status", "extra"},
        Arguments{"flows", "--limit", "many"}, Arguments{"flows", "--limit", "100001"}, Arguments{"status", "--socket"},
        Arguments{"status", "reload"}}) {
    const auto options = parse_options(arguments);
    ASSERT_FALSE(options) << testing::PrintToString(arguments);
    const auto& ending = options.error();
    EXPECT_EQ(ending.status, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(ending.out, "");
    EXPECT_TRUE(ending.err.starts_with("wsl4ctl: ")) << ending.err;
    EXPECT_EQ(ending.err.find('\n'), ending.err.size() - 1) << ending.err;
  }
}

TEST(CommandLine, CommandsOfLaterVersionsSaySo) {
  for (const char* command : {"backend", "rebalance", "pick", "failover", "promote", "demote", "keygen"}) {
    const auto options = parse_options({"--socket", "/s", command, "chat"});
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().status, 2);
    EXPECT_EQ(options.error().err, std::string("wsl4ctl: the command '") + command +
                                       "' is not available in this version (" WSL4_VERSION "); see wsl4ctl --help\n");
  }
}

TEST(CommandLine, HelpAndVersionAreNoErrors) {
  const auto help = parse_options({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().status, 0);
  for (const char* command : {"status", "check", "reload", "flows", "events", "purge"}) {
    EXPECT_NE(help.error().out.find(command), std::string::npos) << command;
  }
  EXPECT_EQ(help.error().out.find("failover"), std::string::npos);
  EXPECT_NE(parse_options({"flows", "--help"}).error().out.find("--snat"), std::string::npos);
  EXPECT_EQ(parse_options({"--version"}).error().out, "wsl4ctl " WSL4_VERSION "\n");
}

}  // namespace
}  // namespace wsl4::ctl
