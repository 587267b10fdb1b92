#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "daemon/config/load.h"
#include "daemon/control/register_server.h"
#include "daemon/ctl/client.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/units.h"
#include "daemon/peer/key_file.h"
#include "daemon/util/as_user.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

using Severity = host::Finding::Severity;

bool is_error(const host::Finding& finding) { return finding.severity == Severity::kError; }
bool is_note(const host::Finding& finding) { return finding.severity == Severity::kNote; }

std::pair<const char*, Style> name_of(const host::Finding& finding) {
  constexpr std::array<std::pair<const char*, Style>, 3> kNames{
      {{"error", Style::kBad}, {"warning", Style::kWarning}, {"note", Style::kPlain}}};
  return kNames.at(static_cast<std::size_t>(finding.severity));
}

json::object to_json(const Options& options, const config::Problems& problems, const std::vector<host::Finding>& findings) {
  json::array problem_list;
  for (const auto& problem : problems) problem_list.emplace_back(problem.message());
  json::array finding_list;
  for (const auto& finding : findings) {
    json::object entry;
    entry["severity"] = name_of(finding).first;
    entry["what"] = finding.what;
    entry["remedy"] = finding.remedy;
    finding_list.push_back(std::move(entry));
  }
  json::object document;
  document["file"] = options.config;
  document["ok"] = problems.empty() && std::none_of(findings.begin(), findings.end(), is_error);
  document["problems"] = std::move(problem_list);
  document["findings"] = std::move(finding_list);
  return document;
}

std::string summary_text(const Options& options, const config::Config& config) {
  if (config.services.empty())
    return fmt::format("{}: valid, but no service is defined: the daemon does not start so\n", options.config);
  std::size_t backends = 0;
  for (const auto& service : config.services) backends += service.backends.size();
  return fmt::format("{}: valid: {}, {}, {}\n", options.config, counted(config.services.size(), "service", "services"),
                     counted(backends, "backend", "backends"), counted(config.pools.size(), "pool", "pools"));
}

std::string findings_text(const std::vector<host::Finding>& findings, bool colour) {
  std::string text;
  if (std::ranges::all_of(findings, is_note)) text = "nothing on this machine stands in the way\n";
  for (const auto& finding : findings) {
    const auto [name, style] = name_of(finding);
    text += fmt::format("{}: {}\n", styled(name, style, colour), finding.what);
    if (!finding.remedy.empty()) text += fmt::format("  {}{}\n", is_note(finding) ? "" : "to mend it: ", finding.remedy);
  }
  return text;
}

/// A daemon that answers, or that might be there but may not be asked, is a reason not to purge.
bool may_run(const std::string& socket, std::string& why) {
  const auto answer = probe(socket);
  if (answer) {
    why = fmt::format("the daemon runs (it answers on {}): stop it first (systemctl stop wsl4d)", socket);
    return true;
  }
  using Kind = Unreachable::Kind;
  if (answer.error().kind == Kind::kNoSocket || answer.error().kind == Kind::kRefused) return false;
  why = fmt::format("cannot tell whether the daemon runs: {}", answer.error().message);
  return true;
}

int refused_purge(const Console& console, const runtime::PurgeRefusal& refusal) {
  return fail(console, refusal.by_configuration ? kExitUsage : kExitFailed, refusal.why);
}

std::string purge_text(const runtime::PurgeReport& report) {
  const auto* without = report.table_there ? "table not removed" : "no table was there";
  auto text = fmt::format("{}, {} removed, {} ended, {} restored\n", report.table_removed ? "table removed" : without,
                          counted(report.addresses, "address", "addresses"), counted(report.flows, "flow", "flows"),
                          counted(report.sysctls, "sysctl", "sysctls"));
  if (report.links > 0)
    text.insert(text.size() - 1, fmt::format(", {} removed", counted(report.links, "macvlan interface", "macvlan interfaces")));
  for (const auto& line : report.left) text += line + "\n";
  return text;
}

json::object to_json(const runtime::PurgeReport& report) {
  json::object document;
  document["table_removed"] = report.table_removed;
  document["addresses"] = report.addresses;
  document["links"] = report.links;
  document["flows"] = report.flows;
  document["sysctls"] = report.sysctls;
  document["left"] = json::array(report.left.begin(), report.left.end());
  document["failures"] = json::array(report.failures.begin(), report.failures.end());
  return document;
}

}  // namespace

int check(const Options& options, const Console& console, const Machine& machine) {
  // What root may read says nothing of the daemon, and what others may not read nothing either.
  config::Inspect inspect;
  if (util::can_act_as(util::kDaemonUser))
    inspect = [](const config::Config& file) {
      return util::as_user(util::kDaemonUser, [&file] { return control::inspect_register(file); });
    };
  const auto config = config::load(options.config, inspect);
  if (!config) {
    for (const auto& problem : config.error()) console.err(problem.message() + "\n");
    if (options.json) console.out(json_text(to_json(options, config.error(), {})));
    return kExitUsage;
  }
  auto findings = machine.check(*config);
  if (options.config == Options{}.config)
    if (auto unreadable = host::unreadable_configuration(options.config)) findings.insert(findings.begin(), *std::move(unreadable));
  if (options.json) {
    console.out(json_text(to_json(options, {}, findings)));
  } else {
    console.out(summary_text(options, *config) + findings_text(findings, console.colour));
  }
  const auto errors = static_cast<std::uint64_t>(std::count_if(findings.begin(), findings.end(), is_error));
  if (errors == 0) return kExitDone;
  return complain(
      console, kExitFailed,
      fmt::format("{} on this machine to mend before wsl4d can do its work, listed above", counted(errors, "thing", "things")));
}

int keygen(const Options& options, const Console& console) {
  const auto key = peer::Key::generate();
  if (!key) return fail(console, kExitFailed, key.error());
  json::object document;
  if (!options.key_file) {
    document["key"] = key->text();
    console.out(options.json ? json_text(document) : key->text() + "\n");
    return kExitDone;
  }
  const auto made = peer::make_key_file(*options.key_file, *key, util::kDaemonUser);
  if (!made) return fail(console, kExitFailed, made.error());
  document["file"] = *options.key_file;
  console.out(options.json ? json_text(document)
                           : fmt::format("{} has a new key; the other node needs the same file\n", *options.key_file));
  return kExitDone;
}

int purge(const Options& options, const Console& console, const Machine& machine) {
  if (options.dry_run) {
    const auto possible = machine.purge(options.config, true);
    if (!possible) return refused_purge(console, possible.error());
    console.out(options.json ? json_text({{"possible", true}}) : "nothing stands in the way\n");
    return kExitDone;
  }
  std::vector<std::string> sockets{options.socket};
  const auto config = config::load(options.config);
  if (config && !options.socket_given) sockets.push_back(config->control.socket);
  for (const std::string& socket : sockets) {
    std::string why;
    if (may_run(socket, why)) return fail(console, kExitFailed, why);
  }
  const auto report = machine.purge(options.config, false);
  if (!report) return refused_purge(console, report.error());
  for (const std::string& failure : report->failures) complain(console, kExitFailed, failure);
  console.out(options.json ? json_text(to_json(*report)) : purge_text(*report));
  return report->failures.empty() ? kExitDone : kExitFailed;
}

}  // namespace wsl4::ctl
