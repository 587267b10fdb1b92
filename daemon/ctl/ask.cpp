#include "daemon/ctl/ask.h"

#include <utility>

#include <fmt/format.h>
#include <boost/json/parse.hpp>

#include "daemon/ctl/commands.h"
#include "daemon/http/json.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

constexpr unsigned kCreated = 201;
constexpr unsigned kWrongValues = 422;  // of arguments or of a file

std::string on_one_line(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, "; ");
  return text;
}

int fail_with_problem(const Console& console, const Reply& reply, Problems problems) {
  boost::system::error_code error;
  const json::value document = json::parse(reply.body, error);
  if (error || !document.is_object() || !document.as_object().contains("title")) {
    return fail(console, kExitFailed, fmt::format("the daemon answers with status {}; is its version another one?", reply.status));
  }
  const json::object& problem = document.as_object();
  const std::string title(problem.at("title").as_string());
  const json::value* detail = problem.if_contains("detail");
  const std::string details(detail != nullptr ? std::string_view(detail->as_string()) : std::string_view());
  const int exit_status = reply.status == kWrongValues ? kExitUsage : kExitFailed;
  if (details.empty()) return fail(console, exit_status, title, problem);
  if (problems == Problems::kInOneLine)
    return fail(console, exit_status, fmt::format("{}: {}", title, on_one_line(details)), problem);
  console.err(details + "\n");
  return fail(console, exit_status, title, problem);
}

}  // namespace

tl::expected<json::object, int> ask(const Call& request, const Console& console, Problems problems) {
  const auto reply = call(request);
  if (!reply) return tl::make_unexpected(fail(console, kExitUnreachable, reply.error().message));
  if (reply->status != kOk && reply->status != kCreated) return tl::make_unexpected(fail_with_problem(console, *reply, problems));
  return json::parse(reply->body).as_object();
}

Call make_call(const Options& options, std::string target) {
  Call request;
  request.socket = options.socket;
  request.target = std::move(target);
  return request;
}

std::string json_text(const json::object& document) { return http::to_text(document, http::JsonLayout::kIndented) + "\n"; }

int fail(const Console& console, int exit_status, std::string_view why, json::object problem) {
  if (problem.empty()) problem["title"] = why;
  complain(console, exit_status, why);
  if (console.json) console.out(http::to_text(json::object{{"error", std::move(problem)}}) + "\n");
  return exit_status;
}

int complain(const Console& console, int exit_status, std::string_view why) {
  console.err(fmt::format("wsl4ctl: {}\n", why));
  return exit_status;
}

}  // namespace wsl4::ctl
