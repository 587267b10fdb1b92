#include "daemon/http/router.h"

#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/http/problem.h"

namespace wsl4::http {
namespace {

bool is_variable(const std::string& segment) { return segment.starts_with('{'); }

std::optional<PathValues> match(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  PathValues values;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_variable(pattern[i])) {
      if (path[i].empty()) return std::nullopt;
      values[pattern[i].substr(1, pattern[i].size() - 2)] = path[i];
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  return values;
}

bool serves(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

Response not_allowed(const Request& request, const std::set<std::string>& allowed) {
  const std::string list = fmt::format("{}", fmt::join(allowed, ", "));
  Response response =
      problem(405, "Method not allowed", {fmt::format("{} is not possible here; possible: {}", request.method, list)});
  response.headers.emplace_back("Allow", list);
  return response;
}

}  // namespace

Router::Router(std::vector<Route> routes) {
  for (Route& route : routes) {
    auto target = parse_target(route.pattern);
    Entry entry;
    if (target) entry.segments = std::move(target->path);
    entry.route = std::move(route);
    entries_.push_back(std::move(entry));
  }
}

boost::asio::awaitable<Response> Router::answer(const Request& request, Access access) const {
  std::set<std::string> allowed;
  for (const Entry& entry : entries_) {
    const auto values = match(entry.segments, request.target.path);
    if (!values) continue;
    if (!serves(entry.route, request.method)) {
      allowed.emplace(entry.route.method);
      if (entry.route.method == "GET") allowed.emplace("HEAD");
      continue;
    }
    if (access == Access::kReadsOnly && !entry.route.reads_only) {
      co_return problem(403, "Only on the control socket",
                        {"this address serves only what reads; use wsl4ctl or the control socket"});
    }
    auto pending = entry.route.handler(request, *values);
    Response response = co_await std::move(pending);
    co_return response;
  }
  if (!allowed.empty()) co_return not_allowed(request, allowed);
  co_return problem(404, "Not found", {"there is nothing under this path"});
}

}  // namespace wsl4::http
