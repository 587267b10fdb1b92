#include "daemon/ctl/text.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "daemon/ctl/fields.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/units.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

constexpr double kPoolWarning = 0.85;  // share of used ports from which a pool is shown as nearly full

std::string node_text(const json::object& status, bool colour) {
  const json::object& node = object_in(status, "node");
  const json::object& kernel = object_in(status, "kernel");
  const json::object& conntrack = object_in(kernel, "conntrack");
  const std::string role = text_in(node, "role");
  const bool in_sync = kernel.at("ruleset_in_sync").as_bool();
  const std::string pair = pair_text(object_in(status, "ha"), colour);
  std::string text = fmt::format("{}  {} since {}, up {}{}\n", styled(text_in(node, "name"), Style::kBold, colour),
                                 styled(role, style_of_state(role), colour), human_time(text_in(node, "role_since")),
                                 human_seconds(number_in<std::int64_t>(node, "uptime_s")), pair.empty() ? ", single node" : "");
  text += fmt::format(
      "wsl4 {} on Linux {}, rules {}, {} of {} conntrack entries, {}\n", text_in(status, "version"), text_in(kernel, "release"),
      styled(in_sync ? "in sync" : "NOT IN SYNC", in_sync ? Style::kGood : Style::kBad, colour), count_in(conntrack, "count"),
      count_in(conntrack, "max"), counted(number_in<std::uint64_t>(kernel, "event_overruns"), "event overrun", "event overruns"));
  text += pair;
  for (const json::value& warning : array_in(status, "warnings")) {
    text += styled(fmt::format("warning: {}", std::string_view(warning.as_string())), Style::kWarning, colour) + "\n";
  }
  return text;
}

std::string refused_text(const json::object& service, bool colour) {
  const auto refused = number_in<std::uint64_t>(service, "refused");
  std::string text = styled(human_count(refused) + " refused", refused == 0 ? Style::kPlain : Style::kWarning, colour);
  std::string reasons;
  for (const auto& [reason, count] : object_in(service, "refused_by")) {
    const auto number = count.to_number<std::uint64_t>();
    if (number != 0) reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", std::string_view(reason), human_count(number));
  }
  return reasons.empty() ? text : fmt::format("{} ({})", text, reasons);
}

/// What `object` estimates, in words: "empty in 3 h 5 min"; nothing if it does not.
std::string estimate_text(const json::object& object, std::string_view key, std::string_view what) {
  const json::value& value = object.at(key);
  return value.is_null() ? std::string() : fmt::format("{} in {}", what, human_seconds(value.to_number<std::int64_t>()));
}

std::string pool_text(const json::object& snat, bool colour) {
  const auto addresses = array_in(snat, "addresses").size();
  const double worst = number_in<double>(snat, "worst_use");
  const auto full = number_in<std::uint64_t>(snat, "pairs_full");
  const std::string forecast = estimate_text(snat, "full_in_s", "full");
  std::string text = fmt::format("  pool {}: {} of {} ports in use on {}, fullest pair {}", text_in(snat, "pool"),
                                 count_in(snat, "used"), count_in(snat, "capacity"), counted(addresses, "address", "addresses"),
                                 styled(human_share(worst), worst >= kPoolWarning ? Style::kBad : Style::kPlain, colour));
  if (full != 0) text += ", " + styled(counted(full, "pair", "pairs") + " full", Style::kBad, colour);
  if (!forecast.empty()) text += ", " + styled(forecast, Style::kWarning, colour);
  return text + "\n";
}

Cell check_cell(const json::object& backend) {
  const json::value& check = backend.at("check");
  if (check.is_null()) return {};
  return {text_in(check.as_object(), "detail"), check.at("ok").as_bool() ? Style::kPlain : Style::kBad};
}

/// The state and what explains it: "down (connection refused)", "draining (empty in 3 h 5 min)".
Cell state_cell(const json::object& backend) {
  const std::string state = text_in(backend, "state");
  const std::string prefix = state + ": ";
  std::string more = text_in(backend, "reason");
  if (more == state) more.clear();
  if (more.starts_with(prefix)) more.erase(0, prefix.size());
  const bool empty = number_in<std::uint64_t>(backend, "connections") == 0 && !backend.at("empty_in_s").is_null();
  const std::string estimate = empty ? "empty" : estimate_text(backend, "empty_in_s", "empty");
  if (!estimate.empty()) more += (more.empty() ? "" : ", ") + estimate;
  return {more.empty() ? state : fmt::format("{} ({})", state, more), style_of_state(state)};
}

std::string limit_text(const json::object& backend) {
  const auto limit = number_in<std::uint64_t>(backend, "max_connections");
  return limit == 0 ? "-" : human_count(limit);
}

/// Where a backend comes from, if not from the file.
std::string source_text(const json::object& backend) {
  const json::value& source = backend.at("source");
  if (source.is_null()) return "-";
  if (source != "registered") return std::string(std::string_view(source.as_string()));
  return "registered" + estimate_text(backend, "lease_s", ", ends");
}

bool has_joined(const json::value& backend) { return backend.at("source") == "registered" || backend.at("source") == "discovered"; }

std::string backends_text(const json::object& service, bool colour) {
  const json::array& backends = array_in(service, "backends");
  const bool joined = std::any_of(backends.begin(), backends.end(), has_joined);
  std::vector<Column> columns{{"BACKEND"},   {"ADDRESS"},     {"STATE"},       {"WEIGHT", true}, {"CONNECTIONS", true},
                              {"MAX", true}, {"SHARE", true}, {"TOTAL", true}, {"CHECK"}};
  if (joined) columns.push_back({"SOURCE"});
  Table table(std::move(columns));
  for (const json::value& value : backends) {
    const json::object& backend = value.as_object();
    std::vector<Cell> row{{text_in(backend, "name") + (backend.at("changed").as_bool() ? " *" : "")},
                          {text_in(backend, "address")},
                          state_cell(backend),
                          {count_in(backend, "weight")},
                          {count_in(backend, "connections")},
                          {limit_text(backend)},
                          {human_share(number_in<double>(backend, "share"))},
                          {count_in(backend, "total")},
                          check_cell(backend)};
    if (joined) row.push_back({source_text(backend)});
    table.add(std::move(row));
  }
  return table.render("  ", colour);
}

/// What the marks in the table mean, and which backends of the file are not in it.
std::string changes_text(const json::object& service, bool colour) {
  const json::array& backends = array_in(service, "backends");
  const json::array& removed = array_in(service, "removed");
  std::string text;
  if (std::any_of(backends.begin(), backends.end(), [](const json::value& one) { return one.at("changed").as_bool(); }))
    text += "  " + styled("* changed at run time; wsl4ctl backend reset SERVICE NAME drops the change", Style::kDim, colour) + "\n";
  if (!removed.empty()) {
    const auto names =
        fmt::format("removed at run time: {}; wsl4ctl backend reset SERVICE NAME brings one back", joined(removed, " "));
    text += "  " + styled(names, Style::kDim, colour) + "\n";
  }
  return text;
}

std::string connections_text(const json::object& service) {
  std::uint64_t half_open = 0;
  for (const json::value& backend : array_in(service, "backends"))
    half_open += number_in<std::uint64_t>(backend.as_object(), "half_open");
  const std::string text = counted(number_in<std::uint64_t>(service, "connections"), "connection", "connections");
  return half_open == 0 ? text : fmt::format("{} and {} half-open", text, human_count(half_open));
}

std::string head_text(const json::object& service, bool colour) {
  const std::string health = text_in(service, "health");
  return fmt::format("\n{}  {}, {}, {}{}, on {}\n", styled(text_in(service, "name"), Style::kBold, colour),
                     text_in(service, "protocol"), text_in(service, "mode"), text_in(service, "scheduler"),
                     health == "none" ? "" : ", health " + health, joined(array_in(service, "listen"), " "));
}

std::string discovery_text(const json::object& service, bool colour) {
  const json::value& value = service.at("discovery");
  if (value.is_null()) return {};
  const json::object& discovery = value.as_object();
  const json::value& last = discovery.at("last_success");
  auto state = last.is_null() ? "not answered yet" : "answered last at " + human_time(text_in(discovery, "last_success"));
  if (discovery.at("failing").as_bool()) state = styled("failing, " + state, Style::kWarning, colour);
  return fmt::format("  discovery {}: {}\n", text_in(discovery, "source"), state);
}

std::string service_text(const json::object& service, bool colour) {
  std::string text = head_text(service, colour);
  text += fmt::format("  {}, {:.1f} new/s, {} in total, {}\n", connections_text(service), number_in<double>(service, "rate"),
                      count_in(service, "total"), refused_text(service, colour));
  const json::value& snat = service.at("snat");
  if (!snat.is_null()) text += pool_text(snat.as_object(), colour);
  text += discovery_text(service, colour);
  text += array_in(service, "backends").empty() ? "  no backends\n" : backends_text(service, colour);
  return text + changes_text(service, colour);
}

}  // namespace

std::string status_text(const json::object& status, bool colour) {
  std::string text = node_text(status, colour);
  const json::array& services = array_in(status, "services");
  if (services.empty()) text += "\nno services\n";
  for (const json::value& service : services) text += service_text(service.as_object(), colour);
  return text;
}

}  // namespace wsl4::ctl
