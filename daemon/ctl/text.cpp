#include "daemon/ctl/text.h"

#include <fmt/format.h>

#include "daemon/ctl/fields.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/units.h"

namespace wsl4::ctl {

namespace json = boost::json;

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
  if (flows.at("more").as_bool()) text += styled("… and more; raise --limit or narrow the list down\n", Style::kWarning, colour);
  return text;
}

std::string reloaded_text(const json::object& report) {
  if (!report.at("changed").as_bool()) return "reloaded; nothing changed\n";
  const json::array& files = array_in(report, "read_anew");
  return files.empty() ? "reloaded\n" : fmt::format("reloaded; read anew: {}\n", joined(files, ", "));
}

std::string preview_text(const json::object& report) {
  if (!report.at("changed").as_bool()) return "nothing would change\n";
  std::string text = text_in(report, "nft");
  if (text.empty()) text = "nothing would change in the kernel's rules, only what the daemon itself does";
  if (!text.ends_with('\n')) text += '\n';
  const json::array& files = array_in(report, "read_anew");
  if (!files.empty()) text += fmt::format("# would be read anew: {}\n", joined(files, ", "));
  for (const json::value& value : array_in(report, "addresses_added")) {
    const json::object& placed = value.as_object();
    text += fmt::format("# would be put on {}: {}\n", text_in(placed, "interface"), text_in(placed, "address"));
  }
  for (const json::value& value : array_in(report, "addresses_removed")) {
    const json::object& placed = value.as_object();
    text += fmt::format("# would be taken off {} once no connection uses it: {}\n", text_in(placed, "interface"),
                        text_in(placed, "address"));
  }
  for (const json::value& value : array_in(report, "sysctls")) {
    const json::object& change = value.as_object();
    text += fmt::format("# sysctl {} would be {}, is {}\n", text_in(change, "name"), text_in(change, "value"),
                        text_in(change, "before"));
  }
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
