#include "daemon/ctl/text.h"

#include <string_view>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/value_to.hpp>

#include "daemon/ctl/table.h"
#include "daemon/ctl/units.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

constexpr double kPoolWarning = 0.85;  // share of used ports from which a pool is shown as nearly full

const json::object& object_in(const json::object& object, std::string_view key) { return object.at(key).as_object(); }
const json::array& array_in(const json::object& object, std::string_view key) { return object.at(key).as_array(); }

std::string text_in(const json::object& object, std::string_view key) {
  const json::value& value = object.at(key);
  return value.is_null() ? "-" : std::string(value.as_string());
}

template <class T>
T number_in(const json::object& object, std::string_view key) {
  return object.at(key).to_number<T>();
}

std::string count_in(const json::object& object, std::string_view key) {
  return human_count(number_in<std::uint64_t>(object, key));
}

std::string joined(const json::array& array, std::string_view separator) {
  std::string text;
  for (const json::value& value : array) {
    if (!text.empty()) text += separator;
    text += std::string_view(value.as_string());
  }
  return text;
}

Style style_of_state(std::string_view state) {
  if (state == "up" || state == "active" || state == "standby") return Style::kGood;
  if (state == "down" || state == "fault") return Style::kBad;
  return Style::kWarning;
}

std::string peer_text(const json::object& ha, bool colour) {
  if (text_in(ha, "election") == "none") return "single node";
  const json::object& peer = object_in(ha, "peer");
  const bool connected = peer.at("connected").as_bool();
  return fmt::format("peer {} at {} {}, sync {}", text_in(peer, "name"), text_in(peer, "address"),
                     styled(connected ? "connected" : "not connected", connected ? Style::kGood : Style::kBad, colour),
                     text_in(object_in(ha, "sync"), "state"));
}

std::string node_text(const json::object& status, bool colour) {
  const json::object& node = object_in(status, "node");
  const json::object& kernel = object_in(status, "kernel");
  const json::object& conntrack = object_in(kernel, "conntrack");
  const std::string role = text_in(node, "role");
  const bool in_sync = kernel.at("ruleset_in_sync").as_bool();
  std::string text =
      fmt::format("{}  {} since {}, up {}, {}\n", styled(text_in(node, "name"), Style::kBold, colour),
                  styled(role, style_of_state(role), colour), human_time(text_in(node, "role_since")),
                  human_seconds(number_in<std::int64_t>(node, "uptime_s")), peer_text(object_in(status, "ha"), colour));
  text += fmt::format(
      "wsl4 {} on Linux {}, rules {}, {} of {} conntrack entries, {}\n", text_in(status, "version"), text_in(kernel, "release"),
      styled(in_sync ? "in sync" : "NOT IN SYNC", in_sync ? Style::kGood : Style::kBad, colour), count_in(conntrack, "count"),
      count_in(conntrack, "max"), counted(number_in<std::uint64_t>(kernel, "event_overruns"), "event overrun", "event overruns"));
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

std::string pool_text(const json::object& snat, bool colour) {
  const auto addresses = array_in(snat, "addresses").size();
  const double worst = number_in<double>(snat, "worst_use");
  return fmt::format("  pool {}: {} of {} ports in use on {}, fullest pair {}\n", text_in(snat, "pool"), count_in(snat, "used"),
                     count_in(snat, "capacity"), counted(addresses, "address", "addresses"),
                     styled(human_share(worst), worst >= kPoolWarning ? Style::kBad : Style::kPlain, colour));
}

std::string check_text(const json::object& backend) {
  const json::value& check = backend.at("check");
  return check.is_null() ? std::string() : text_in(check.as_object(), "detail");
}

std::string backends_text(const json::object& service, bool colour) {
  Table table(
      {{"BACKEND"}, {"ADDRESS"}, {"STATE"}, {"WEIGHT", true}, {"CONNECTIONS", true}, {"SHARE", true}, {"TOTAL", true}, {"CHECK"}});
  for (const json::value& value : array_in(service, "backends")) {
    const json::object& backend = value.as_object();
    const std::string state = text_in(backend, "state");
    table.add({{text_in(backend, "name")},
               {text_in(backend, "address")},
               {state, style_of_state(state)},
               {count_in(backend, "weight")},
               {count_in(backend, "connections")},
               {human_share(number_in<double>(backend, "share"))},
               {count_in(backend, "total")},
               {check_text(backend)}});
  }
  return table.render("  ", colour);
}

std::string service_text(const json::object& service, bool colour) {
  std::string text =
      fmt::format("\n{}  {}, {}, {}, on {}\n", styled(text_in(service, "name"), Style::kBold, colour), text_in(service, "protocol"),
                  text_in(service, "mode"), text_in(service, "scheduler"), joined(array_in(service, "listen"), " "));
  text += fmt::format("  {}, {:.1f} new/s, {} in total, {}\n",
                      counted(number_in<std::uint64_t>(service, "connections"), "connection", "connections"),
                      number_in<double>(service, "rate"), count_in(service, "total"), refused_text(service, colour));
  const json::value& snat = service.at("snat");
  if (!snat.is_null()) text += pool_text(snat.as_object(), colour);
  if (array_in(service, "backends").empty()) return text + "  no backends\n";
  return text + backends_text(service, colour);
}

std::string seconds_in(const json::object& object, std::string_view key) {
  const json::value& value = object.at(key);
  return value.is_null() ? "-" : human_seconds(value.to_number<std::int64_t>());
}

}  // namespace

std::string status_text(const json::object& status, bool colour) {
  std::string text = node_text(status, colour);
  const json::array& services = array_in(status, "services");
  if (services.empty()) text += "\nno services\n";
  for (const json::value& service : services) text += service_text(service.as_object(), colour);
  return text;
}

std::string flows_text(const json::object& flows, bool colour) {
  const json::array& list = array_in(flows, "flows");
  if (list.empty()) return "no flows\n";
  Table table({{"SERVICE"},
               {"PROTO"},
               {"CLIENT"},
               {"VIP"},
               {"SNAT"},
               {"SERVER"},
               {"BACKEND"},
               {"STATE"},
               {"AGE", true},
               {"EXPIRES", true}});
  for (const json::value& value : list) {
    const json::object& flow = value.as_object();
    const std::string client = text_in(flow, "client");
    const std::string snat = text_in(flow, "snat");
    table.add({{text_in(flow, "service")},
               {text_in(flow, "protocol")},
               {client},
               {text_in(flow, "vip")},
               {snat == client ? "-" : snat},
               {text_in(flow, "server")},
               {text_in(flow, "backend")},
               {text_in(flow, "state")},
               {seconds_in(flow, "age_s")},
               {seconds_in(flow, "expires_s")}});
  }
  std::string text = table.render("", colour);
  if (flows.at("more").as_bool()) text += styled(fmt::format("… and more; see --limit\n"), Style::kWarning, colour);
  return text;
}

std::string events_text(const json::object& events, bool colour) {
  std::string text;
  for (const json::value& value : array_in(events, "events")) {
    const json::object& event = value.as_object();
    text += fmt::format("{}  {}", styled(text_in(event, "time"), Style::kDim, colour),
                        styled(text_in(event, "name"), Style::kBold, colour));
    const std::string service = text_in(event, "service");
    const std::string backend = text_in(event, "backend");
    if (!service.empty()) text += fmt::format("  {}{}{}", service, backend.empty() ? "" : "/", backend);
    const std::string detail = text_in(event, "detail");
    if (!detail.empty()) text += ": " + detail;
    text += "\n";
  }
  return text;
}

}  // namespace wsl4::ctl
