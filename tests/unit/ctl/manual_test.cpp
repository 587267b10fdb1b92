// The manual page and the completions name every command, option and event that there is.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/control/routes.h"
#include "daemon/ctl/options.h"
#include "tests/support/fake_node.h"
#include "tests/support/namespace.h"

namespace wsl4::ctl {
namespace {

const std::string kSource = WSL4_SOURCE_DIR;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> all_matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) found.insert((*match)[1]);
  return found;
}

std::string help(std::vector<std::string> arguments) {
  arguments.emplace_back("--help");
  return parse_options(arguments).error().out;
}

/// Commands behind those given, and the long options of all of them, as --help tells them.
std::set<std::string> words(const std::vector<std::string>& command = {}) {
  const std::string text = help(command);
  std::set<std::string> found = all_matches(text, std::regex("--([a-z-]+)"));
  if (text.find("Subcommands:") == std::string::npos) return found;
  for (const std::string& name : all_matches(text.substr(text.find("Subcommands:")), std::regex("\n  ([a-z]+) "))) {
    auto inner = command;
    inner.push_back(name);
    found.insert(name);
    found.merge(words(inner));
  }
  return found;
}

TEST(Manual, NamesEveryCommandAndOption) {
  ASSERT_GE(words().size(), 32U);
  for (const char* file : {"packaging/man/wsl4ctl.1", "packaging/completion/wsl4ctl.bash", "packaging/completion/_wsl4ctl",
                           "packaging/completion/wsl4ctl.fish"}) {
    const std::string text = std::regex_replace(content(kSource + "/" + file), std::regex(R"(\\-)"), "-");
    for (const std::string& word : words()) {
      EXPECT_TRUE(std::regex_search(text, std::regex("\\b" + word + "\\b"))) << word << " is not in " << file;
    }
  }
}

TEST(Completion, NamesNoOptionThatThereIsNot) {
  auto options = words();
  options.merge(std::set<std::string>{"help", "version"});
  const std::pair<const char*, std::regex> files[] = {{"wsl4ctl.bash", std::regex("--([a-z][a-z-]*)")},
                                                      {"_wsl4ctl", std::regex("--([a-z][a-z-]*)")},
                                                      {"wsl4ctl.fish", std::regex("complete -c wsl4ctl[^\n]* -l ([a-z-]+)")}};
  for (const auto& [file, pattern] : files) {
    for (const auto& option : all_matches(content(kSource + "/packaging/completion/" + file), pattern))
      EXPECT_TRUE(options.contains(option)) << option << " in " << file;
  }
}

TEST(Manual, NamesEveryRequest) {
  test::FakeNode node;
  std::set<std::string> routes;
  for (const auto& route : control::make_routes(node)) routes.insert(std::string(route.method) + " " + std::string(route.pattern));
  const std::string page = content(kSource + "/packaging/man/wsl4ctl.1");
  EXPECT_EQ(all_matches(page, std::regex("\n\\.TP\n\\.B ((GET|POST|PUT|PATCH|DELETE) /\\S*)\n")), routes);
}

TEST(Manual, NamesEveryEvent) {
  std::set<std::string> events;
  for (const char* folder : {"/daemon/runtime", "/daemon/pair", "/daemon/addresses"})
    for (const auto& entry : std::filesystem::directory_iterator(kSource + folder))
      events.merge(all_matches(content(entry.path()), std::regex("(?:events_\\.add|on_event_?)\\(\\s*\"([a-z-]+)\"")));
  ASSERT_GE(events.size(), 3U);
  const std::string page = std::regex_replace(content(kSource + "/packaging/man/wsl4ctl.1"), std::regex(R"(\\-)"), "-");
  const auto told = all_matches(page.substr(page.find(".SH EVENTS"), page.find(".SH ENVIRONMENT") - page.find(".SH EVENTS")),
                                std::regex("\\.TP\n\\.B ([a-z-]+)\n"));
  EXPECT_EQ(told, events);

  // Those that the log has as warnings are events.
  const std::string log = content(kSource + "/daemon/runtime/event_log.cpp");
  const auto begin = log.find("kWarnings{");
  ASSERT_NE(begin, std::string::npos);
  const auto warnings = all_matches(log.substr(begin, log.find("};", begin) - begin), std::regex("\"([a-z-]+)\""));
  ASSERT_GE(warnings.size(), 3U);
  for (const auto& name : warnings) EXPECT_TRUE(told.contains(name) || name == "backend-down") << name;
}

std::set<std::string> completed(const std::string& words) {
  // A daemon stands in: a function of the same name.
  const std::string script = fmt::format(
      R"(wsl4ctl() {{ printf '{{\n "services": [\n  {{"name": "chat", "protocol": "tcp"}},\n  {{\n "name": "mqtt",\n "protocol": "tcp",'
                      printf ' "backends": [{{"name": "b1", "address": "x"}},\n{{"name": "b2",\n "address": "y"}}]}},'
                      printf '{{"name": "last", "protocol": "udp", "backends": [{{"name": "b3", "address": "x"}}]}}]}}\n'; }}
. {}/packaging/completion/wsl4ctl.bash
COMP_WORDS=({}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_wsl4ctl
printf '<%s>' "${{COMPREPLY[@]}}")",
      kSource, words);
  const auto result = test::run_shell("bash -s", script);
  EXPECT_EQ(result.status, 0) << result.output;
  return all_matches(result.output, std::regex("<([^>]*)>"));
}

using Words = std::set<std::string>;

TEST(BashCompletion, OffersWhatFits) {
  EXPECT_EQ(completed("wsl4ctl st"), Words{"status"});
  EXPECT_EQ(completed("wsl4ctl --socket reload --json rel"), Words{"reload"});
  EXPECT_EQ(completed("wsl4ctl reload --d"), Words{"--dry-run"});
  EXPECT_EQ(completed("wsl4ctl flows --service ''"), (Words{"chat", "mqtt", "last"}));
  EXPECT_EQ(completed("wsl4ctl flows --s"), (Words{"--service", "--snat", "--socket"}));
}

TEST(BashCompletion, OffersExactlyTheOptionsOfEachCommand) {
  const auto options = [](const std::vector<std::string>& command) {
    Words found;
    for (const auto& name : all_matches(help(command), std::regex("\n[^\n]*--([a-z-]+)"))) found.insert("--" + name);
    for (const char* everywhere : {"--socket", "--json", "--help"}) found.insert(everywhere);
    return found;
  };
  for (const std::string command :
       {"status", "check", "reload", "rebalance", "pick", "flows", "failover", "promote", "demote", "events", "purge"})
    EXPECT_EQ(completed("wsl4ctl " + command + " --"), options({command})) << command;
  for (const std::string action : {"add", "remove", "enable", "disable", "drain", "weight", "reset"})
    EXPECT_EQ(completed("wsl4ctl backend " + action + " --"), options({"backend", action})) << action;
}

TEST(BashCompletion, OffersServicesAndTheirBackends) {
  EXPECT_EQ(completed("wsl4ctl backend d"), (Words{"disable", "drain"}));
  EXPECT_EQ(completed("wsl4ctl backend drain ''"), (Words{"chat", "mqtt", "last"}));
  EXPECT_EQ(completed("wsl4ctl backend drain mqtt ''"), (Words{"b1", "b2"}));
  EXPECT_EQ(completed("wsl4ctl --json backend drain --evict 5 mqtt ''"), (Words{"b1", "b2"}));
  EXPECT_EQ(completed("wsl4ctl backend drain mqtt b1 --e"), Words{"--evict"});
  EXPECT_EQ(completed("wsl4ctl backend add chat ''"), Words{""}) << "a new name";
  EXPECT_EQ(completed("wsl4ctl backend add chat b4 x --p"), Words{"--public"});
  EXPECT_EQ(completed("wsl4ctl pick m"), Words{"mqtt"});
  EXPECT_EQ(completed("wsl4ctl rebalance c"), Words{"chat"});
  EXPECT_EQ(completed("wsl4ctl rebalance chat --r"), Words{"--rate"});
  EXPECT_EQ(completed("wsl4ctl flows --service mqtt --backend ''"), (Words{"b1", "b2"}));
}

TEST(FishCompletion, AsksTheDaemonOfTheSocketThatIsNamed) {
  const auto offered = [](const std::string& words) {
    const std::string script = fmt::format(R"(source {}/packaging/completion/wsl4ctl.fish
function wsl4ctl
    contains -- "$argv" "--socket /x status --json" "--socket=/x status --json"
    and echo '{{"services": [{{"name": "chat", "protocol": "tcp", "backends": [{{"name": "b1", "address": "x"}}]}}]}}'
end
complete -C {} | string replace -r '(\S+).*' '<$1>'
true)",
                                           kSource, words);
    const auto result = test::run_shell("cat | fish --no-config", script);
    EXPECT_EQ(result.status, 0) << result.output;
    return all_matches(result.output, std::regex("<([^>]*)>"));
  };
  EXPECT_EQ(offered("'wsl4ctl --socket /x flows --service '"), Words{"chat"});
  EXPECT_EQ(offered("'wsl4ctl --socket=/x backend drain chat '"), Words{"b1"});
  EXPECT_EQ(offered("'wsl4ctl --socket /x backend drain '"), Words{"chat"});
  EXPECT_EQ(offered("'wsl4ctl --socket /x backend drain --evict 5 chat '"), Words{"b1"});
  EXPECT_EQ(offered("'wsl4ctl --socket /x backend drain chat b1 '"), Words{});
  EXPECT_EQ(offered("'wsl4ctl flows --service '"), Words{}) << "another daemon, which is not there";
}

}  // namespace
}  // namespace wsl4::ctl
