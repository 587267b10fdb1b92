#include "daemon/control/register_routes.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "daemon/control/answers.h"
#include "daemon/control/json.h"
#include "daemon/control/query.h"
#include "daemon/http/problem.h"

namespace wsl4::control {
namespace {

using boost::asio::awaitable;
using http::PathValues;
using http::Request;
using http::Response;

constexpr std::string_view kBackend = "/v1/services/{name}/backends/{backend}";

/// Why the request's token does not do; nothing if it does.
std::optional<Response> denied(const Tokens& tokens, const Request& request, const std::string& service) {
  switch (tokens.check(request.authorization, service)) {
    case Tokens::Verdict::kGranted:
      return std::nullopt;
    case Tokens::Verdict::kOtherServices:
      return http::problem(403, "Forbidden", {fmt::format("the token is not for service '{}'", service)});
    case Tokens::Verdict::kUnknown:
      break;
  }
  auto response =
      http::problem(401, "Unauthorized", {"a token of the balancer's token file is needed: Authorization: Bearer TOKEN"});
  response.headers.emplace_back("WWW-Authenticate", R"(Bearer realm="wsl4")");
  return response;
}

/// What is wrong with the request before its body is looked at.
std::optional<Response> rejected(const Joiner& joiner, const Request& request, const PathValues& values) {
  if (auto response = denied(joiner.tokens(), request, values.at("name"))) return response;
  if (const auto query = parse_no_query(request.target.query); !query) return bad_query(query.error());
  if (const auto name = service::check_backend_name(values.at("backend")); !name)
    return http::problem(422, "Unprocessable content", {"the backend's name " + name.error()});
  return std::nullopt;
}

awaitable<Response> put_backend(Joiner& joiner, const Request& request, const PathValues& values) {
  if (auto response = rejected(joiner, request, values)) co_return std::move(*response);
  auto registration = service::parse_registration(request.body);
  if (!registration) co_return http::problem(422, "Unprocessable content", registration.error());
  auto pending = joiner.join(values.at("name"), values.at("backend"), std::move(*registration));
  const auto joined = co_await std::move(pending);
  if (!joined) co_return refused(joined.error());
  boost::json::object object;
  object["service"] = values.at("name");
  object["backend"] = values.at("backend");
  object["expires"] = to_iso8601(joined->expires);
  co_return json_response(object, joined->is_new ? 201 : 200);
}

awaitable<Response> delete_backend(Joiner& joiner, const Request& request, const PathValues& values) {
  if (auto response = rejected(joiner, request, values)) co_return std::move(*response);
  auto pending = joiner.leave(values.at("name"), values.at("backend"));
  const auto left = co_await std::move(pending);
  if (!left) co_return refused(left.error());
  boost::json::object object;
  object["service"] = values.at("name");
  object["backend"] = values.at("backend");
  object["drains"] = true;
  co_return json_response(object);
}

awaitable<Response> get_healthz() { co_return text_response("text/plain; charset=utf-8", "ok\n"); }

}  // namespace

std::vector<http::Route> make_register_routes(Joiner& joiner) {
  return {
      {"GET", "/healthz", http::kReads, [](const Request&, const PathValues&) { return get_healthz(); }},
      {"PUT", kBackend, http::kChanges,
       [&joiner](const Request& request, const PathValues& values) { return put_backend(joiner, request, values); }},
      {"DELETE", kBackend, http::kChanges,
       [&joiner](const Request& request, const PathValues& values) { return delete_backend(joiner, request, values); }},
  };
}

}  // namespace wsl4::control
