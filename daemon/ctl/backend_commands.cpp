#include <string>
#include <utility>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "daemon/ctl/ask.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/fields.h"
#include "daemon/ctl/run.h"
#include "daemon/ctl/units.h"
#include "daemon/http/target.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

Call make_change(const Options& options, std::string path, std::string method, const json::object& body = {}) {
  Call request = make_call(options, fmt::format("/v1/services/{}/{}", http::percent_encode(options.change.service), path));
  request.method = std::move(method);
  if (!body.empty()) request.body = json::serialize(body);
  request.timeout = kChangeTimeout;
  return request;
}

json::object added(const ChangeArguments& arguments) {
  json::object body;
  body["address"] = arguments.address;
  if (arguments.weight) body["weight"] = *arguments.weight;
  if (arguments.max_connections) body["max_connections"] = *arguments.max_connections;
  if (arguments.public_address) body["public"] = *arguments.public_address;
  return body;
}

json::object with_state(const char* state, const ChangeArguments& arguments) {
  json::object body;
  body["state"] = state;
  if (arguments.evict) body["evict"] = *arguments.evict;
  return body;
}

Call make_backend_change(const Options& options) {
  const ChangeArguments& arguments = options.change;
  const std::string path = "backends/" + http::percent_encode(arguments.backend);
  switch (options.command) {
    case Command::kBackendAdd:
      return make_change(options, path, "PUT", added(arguments));
    case Command::kBackendRemove:
      return make_change(options, path, "DELETE");
    case Command::kBackendReset:
      return make_change(options, path + "?reset=1", "DELETE");
    case Command::kBackendEnable:
      return make_change(options, path, "PATCH", with_state("enabled", arguments));
    case Command::kBackendDisable:
      return make_change(options, path, "PATCH", with_state("disabled", arguments));
    case Command::kBackendDrain:
      return make_change(options, path, "PATCH", with_state("draining", arguments));
    default:
      return make_change(options, path, "PATCH", {{"weight", *arguments.weight}});
  }
}

std::string done_text(const Options& options, const json::object& report) {
  const ChangeArguments& arguments = options.change;
  const std::string left = counted(number_in<std::uint64_t>(report, "connections"), "connection", "connections") + " left";
  switch (options.command) {
    case Command::kBackendAdd:
      return "added at " + arguments.address;
    case Command::kBackendRemove:
      return fmt::format("removed; it drains ({}) and is then forgotten", left);
    case Command::kBackendReset:
      return "reset; nothing of it is changed at run time any more";
    case Command::kBackendEnable:
      return "enabled; it takes new connections";
    case Command::kBackendDisable:
      return fmt::format("disabled; no new connections, no health checks, {}", left);
    case Command::kBackendDrain:
      return arguments.evict.value_or(0) == 0
                 ? fmt::format("draining; no new connections, {}", left)
                 : fmt::format("draining; no new connections, {}, {} ended per second", left, *arguments.evict);
    default:
      return fmt::format("has weight {}", *arguments.weight);
  }
}

}  // namespace

int change_backend(const Options& options, const Console& console) {
  const auto report = ask(make_backend_change(options), console);
  if (!report) return report.error();
  if (options.json) {
    console.out(json_text(*report));
    return kExitDone;
  }
  for (const json::value& warning : array_in(*report, "warnings")) {
    console.err(fmt::format("warning: {}\n", std::string_view(warning.as_string())));
  }
  const bool unchanged = text_in(*report, "result") == "unchanged";
  console.out(fmt::format("{}/{} {}\n", options.change.service, options.change.backend,
                          unchanged ? "is so already; nothing changed" : done_text(options, *report)));
  return kExitDone;
}

int rebalance(const Options& options, const Console& console) {
  const auto report = ask(make_change(options, "rebalance", "POST", {{"rate", options.change.rate}}), console);
  if (!report) return report.error();
  const auto surplus = number_in<std::uint64_t>(*report, "surplus");
  const auto rate = options.change.rate;
  std::string done = "no connection is moved any more";
  if (rate > 0 && surplus == 0) done = "even already, to 1 %; nothing to move";
  if (rate > 0 && surplus > 0)
    done = fmt::format("{} to move, {} per second: done in about {}", counted(surplus, "connection", "connections"), rate,
                       human_seconds(1 + static_cast<std::int64_t>(surplus) / rate));
  console.out(options.json ? json_text(*report) : fmt::format("{}: {}\n", options.change.service, done));
  return kExitDone;
}

int pick(const Options& options, const Console& console) {
  const auto picked = ask(make_change(options, "pick", "GET"), console);
  if (!picked) return picked.error();
  std::string text = fmt::format("{}  {}", text_in(*picked, "backend"), text_in(*picked, "address"));
  if (!picked->at("public").is_null()) text += "  " + text_in(*picked, "public");
  console.out(options.json ? json_text(*picked) : text + "\n");
  return kExitDone;
}

}  // namespace wsl4::ctl
