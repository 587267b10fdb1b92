#include "daemon/ctl/options.h"

#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "daemon/control/query.h"
#include "daemon/ctl/run.h"
#include "netlink/ip.h"

namespace wsl4::ctl {
namespace {

/// What is wrong with the argument, as CLI11 wants to be told; empty: nothing.
std::string no_address(const std::string& text) {
  return netlink::IpAddress::parse(text) ? "" : fmt::format("'{}' is no IP address", text);
}
std::string no_endpoint(const std::string& text) {
  return netlink::Endpoint::parse(text) ? "" : fmt::format("'{}' is no ADDRESS:PORT, or [ADDRESS]:PORT for IPv6", text);
}
std::string no_name(const std::string& text) { return text.empty() ? "a name is not empty" : ""; }
/// Of 64 bits: CLI11 takes the nearest one that there is.
std::string out_of_range(const std::string& text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc::result_out_of_range ? fmt::format("{} is out of range", text) : "";
}

/// What is wrong. CLI11 says only that a command is missing where an unknown word stands for it.
std::string no_command(const CLI::App& app, const CLI::ParseError& error) {
  const std::string what = error.what();
  const auto words = app.remaining(true);
  const bool is_word = !words.empty() && !words.front().starts_with('-');
  return is_word && what.starts_with("A subcommand is required") ? fmt::format("there is no command '{}'", words.front()) : what;
}

CLI::App* add_command(CLI::App& app, Options& options, Command command, const std::string& name, const std::string& help) {
  CLI::App* added = app.add_subcommand(name, help);
  added->fallthrough();  // --json and --socket may stand behind the command too
  added->callback([&options, command] { options.command = command; });
  return added;
}

void add_backend_commands(CLI::App& app, Options& options) {
  CLI::App* backend =
      app.add_subcommand("backend", "Change a backend at run time; kept over reloads and restarts until it is reset");
  backend->fallthrough();
  backend->require_subcommand(1);
  const auto add = [&](Command command, const std::string& name, const std::string& help) {
    CLI::App* added = add_command(*backend, options, command, name, help);
    added->add_option("SERVICE", options.change.service, "The service")->required()->check(no_name);
    added->add_option("NAME", options.change.backend, "The backend")->required()->check(no_name);
    return added;
  };
  auto* create = add(Command::kBackendAdd, "add", "Add a backend to a service");
  create->add_option("ADDRESS", options.change.address, "Where the server listens, ADDRESS:PORT")->required();
  create->add_option("--weight", options.change.weight, "Its share of new connections, 0 to 1000; by default 100")
      ->type_name("W")
      ->check(out_of_range);
  create->add_option("--max-connections", options.change.max_connections, "As many as it may carry; 0 (default): what the pool can")
      ->type_name("N")
      ->check(out_of_range);
  create->add_option("--public", options.change.public_address, "What pick hands out")->type_name("URL");
  add(Command::kBackendRemove, "remove", "Let it drain, then forget it");
  add(Command::kBackendEnable, "enable", "Undo drain and disable");
  add(Command::kBackendDisable, "disable", "No new connections and no health checks; old connections live on");
  add(Command::kBackendDrain, "drain", "No new connections; old ones live on")
      ->add_option("--evict", options.change.evict, "End so many old connections per second")
      ->type_name("RATE")
      ->check(out_of_range);
  add(Command::kBackendWeight, "weight", "Set its share of new connections")
      ->add_option("W", options.change.weight, "0 to 1000; 0: no new connections")
      ->required()
      ->check(out_of_range);
  add(Command::kBackendReset, "reset", "Drop all that was changed of it at run time");
}

void add_commands(CLI::App& app, Options& options) {
  const auto add = [&](Command command, const std::string& name, const std::string& help) {
    return add_command(app, options, command, name, help);
  };
  auto* status = add(Command::kStatus, "status", "Show this node, its peer, services, backends and SNAT pools");
  status->add_flag("--watch", options.watch, "Redraw every second until Ctrl-C");

  auto* check = add(Command::kCheck, "check", "Check a configuration file and this machine, without a daemon");
  check->add_option("FILE", options.config, "Configuration file")->capture_default_str();

  auto* reload = add(Command::kReload, "reload", "Load the configuration file again");
  reload->add_flag("--dry-run", options.dry_run, "Change nothing; print the changes as nft text");

  add_backend_commands(app, options);

  auto* rebalance = add(Command::kRebalance, "rebalance", "Move the surplus of over-full backends by resetting connections");
  rebalance->add_option("SERVICE", options.change.service, "The service")->required()->check(no_name);
  rebalance->add_option("--rate", options.change.rate, "Connections per second; 0 stops it")
      ->type_name("N")
      ->required()
      ->check(out_of_range);

  auto* pick = add(Command::kPick, "pick", "Name the backend that a new client should use");
  pick->add_option("SERVICE", options.change.service, "The service")->required()->check(no_name);

  auto* flows = add(Command::kFlows, "flows", "List flows with their addresses on both sides");
  flows->add_option("--service", options.flows.service, "Only of this service")->type_name("NAME")->check(no_name);
  flows->add_option("--backend", options.flows.backend, "Only of this backend")->type_name("NAME")->check(no_name);
  flows->add_option("--client", options.flows.client, "Only of this client address")->type_name("ADDRESS")->check(no_address);
  flows->add_option("--snat", options.flows.snat, "Which client is behind this SNAT address and port?")
      ->type_name("ADDRESS:PORT")
      ->check(no_endpoint);
  flows->add_option("--limit", options.flows.limit, fmt::format("At most so many, up to {}; 0 is the most", control::kMaxFlows))
      ->type_name("N")
      ->check(CLI::Range(std::size_t{0}, control::kMaxFlows))
      ->capture_default_str();

  auto* failover = add(Command::kFailover, "failover", "Hand the active role to the peer");
  failover->add_flag("--force", options.force, "Also if the peer is not synced; connections may be lost");
  add(Command::kPromote, "promote", "Make this node active, under election = \"external\"");
  add(Command::kDemote, "demote", "Make this node standby, under election = \"external\"");

  auto* events = add(Command::kEvents, "events", "Show what has happened to this node");
  events->add_flag("--follow", options.follow, "Go on with what happens, until Ctrl-C");

  auto* keygen = add(Command::kKeygen, "keygen", "Make a new pre-shared key for the pair");
  keygen->add_option("FILE", options.key_file, "Where to put it; must not be there yet. Default: standard output");

  auto* purge = add(Command::kPurge, "purge", "Remove all of wsl4 from the kernel; the daemon must not run");
  purge->add_option("--config", options.config, "The configuration file that the daemon used")
      ->type_name("FILE")
      ->capture_default_str();
  purge->add_flag("--dry-run", options.dry_run, "Change nothing; say what stands in the way, but for the daemon");
}

Ending wrong_usage(std::string_view why) { return {kExitUsage, "", fmt::format("{}; see wsl4ctl --help", why)}; }

}  // namespace

tl::expected<Options, Ending> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  CLI::App app("Shows and steers the wsl4 daemon.", "wsl4ctl");
  app.set_version_flag("--version", "wsl4ctl " WSL4_VERSION);
  app.footer(
      "Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 the daemon cannot be reached.\n"
      "More in wsl4ctl(1).");
  auto* socket =
      app.add_option("--socket", options.socket, "The daemon's control socket")->type_name("PATH")->capture_default_str();
  app.add_flag("--json", options.json, "Print JSON instead of text");
  app.require_subcommand(1);
  add_commands(app, options);

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const CLI::App* asked = &app;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().front();
    return tl::make_unexpected(Ending{kExitDone, asked->help(), ""});
  } catch (const CLI::CallForVersion& version) {
    return tl::make_unexpected(Ending{kExitDone, std::string(version.what()) + "\n", ""});
  } catch (const CLI::ParseError& error) { return tl::make_unexpected(wrong_usage(no_command(app, error))); }
  options.socket_given = socket->count() > 0;
  return options;
}

}  // namespace wsl4::ctl
