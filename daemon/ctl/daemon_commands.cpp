#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "daemon/ctl/ask.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/text.h"
#include "daemon/ctl/watch.h"
#include "daemon/http/json.h"
#include "daemon/http/target.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kReloadTimeout{120};  // ten thousand services take seconds
constexpr std::chrono::seconds kFlowsTimeout{60};    // a dump of a million entries too
constexpr std::chrono::seconds kEventWait{30};       // of one request, while following
constexpr std::chrono::milliseconds kReconnectPause{500};

std::string flows_target(const FlowFilter& filter) {
  std::string target = fmt::format("/v1/flows?limit={}", filter.limit);
  const auto add = [&target](std::string_view name, const std::optional<std::string>& value) {
    if (value) target += fmt::format("&{}={}", name, http::percent_encode(*value));
  };
  add("service", filter.service);
  add("backend", filter.backend);
  add("client", filter.client);
  add("snat", filter.snat);
  return target;
}

/// Until it answers again; false: nobody may ask.
bool wait_for_daemon(const std::string& socket) {
  boost::asio::io_context io;
  boost::asio::steady_timer pause(io);
  for (;;) {
    const auto answer = probe(socket);
    if (answer) return true;
    if (answer.error().kind == Unreachable::Kind::kPermission) return false;
    pause.expires_after(kReconnectPause);
    pause.wait();
  }
}

}  // namespace

int status(const Options& options, const Console& console) {
  const Call request = make_call(options, "/v1/status");
  const auto show = [&](const json::object& document) {
    return options.json ? json_text(document) : status_text(document, console.colour);
  };
  const auto first = ask(request, console);
  if (!first) return first.error();
  if (!options.watch) {
    console.out(show(*first));
    return kExitDone;
  }
  // While watching, a daemon that restarts is no reason to end: what is wrong stands where the status stood.
  return watch(console, [&]() -> std::string {
    const auto reply = call(request);
    if (!reply) return fmt::format("wsl4ctl: {}\n", reply.error().message);
    if (reply->status != kOk) return fmt::format("wsl4ctl: the daemon answers with status {}\n", reply->status);
    return show(json::parse(reply->body).as_object());
  });
}

int reload(const Options& options, const Console& console) {
  Call request = make_call(options, options.dry_run ? "/v1/reload?dry_run=1" : "/v1/reload");
  request.method = "POST";
  request.timeout = kReloadTimeout;
  const auto report = ask(request, console, Problems::kALineEach);
  if (!report) return report.error();
  if (options.json) {
    console.out(json_text(*report));
    return kExitDone;
  }
  for (const json::value& warning : report->at("warnings").as_array()) {
    console.err(fmt::format("warning: {}\n", std::string_view(warning.as_string())));
  }
  console.out(options.dry_run ? preview_text(*report) : reloaded_text(*report));
  return kExitDone;
}

int flows(const Options& options, const Console& console) {
  Call request = make_call(options, flows_target(options.flows));
  request.timeout = kFlowsTimeout;
  const auto document = ask(request, console);
  if (!document) return document.error();
  console.out(options.json ? json_text(*document) : flows_text(*document, console.colour));
  return kExitDone;
}

int events(const Options& options, const Console& console) {
  std::uint64_t after = 0;
  for (bool first = true;; first = false) {
    const std::int64_t wait = first ? 0 : kEventWait.count();
    Call request = make_call(options, fmt::format("/v1/events?after={}&wait={}", after, wait));
    request.timeout += std::chrono::seconds(wait);
    const auto document = ask(request, console);
    if (!document) {
      if (first || document.error() != kExitUnreachable || !wait_for_daemon(options.socket)) return document.error();
      after = 0;  // it numbers its events anew
      continue;
    }
    const json::array& list = document->at("events").as_array();
    if (!list.empty()) after = list.back().as_object().at("sequence").to_number<std::uint64_t>();
    if (!options.json) {
      console.out(events_text(*document, console.colour));
    } else if (!options.follow) {
      console.out(json_text(*document));
    } else {
      for (const json::value& event : list) console.out(http::to_text(event) + "\n");  // one a line, as they come
    }
    if (!options.follow) return kExitDone;
  }
}

}  // namespace wsl4::ctl
