#include "daemon/control/routes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/control/answers.h"
#include "daemon/control/body.h"
#include "daemon/control/json.h"
#include "daemon/control/query.h"
#include "daemon/control/status_page.h"
#include "daemon/http/problem.h"
#include "daemon/metrics/metrics.h"

namespace wsl4::control {
namespace {

using boost::asio::awaitable;
using http::PathValues;
using http::Request;
using http::Response;

awaitable<Response> get_status(Node& node, const Request& request) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  const auto status = co_await node.status();
  if (!status) co_return refused(status.error());
  co_return json_response(to_json(*status));
}

awaitable<Response> get_service(Node& node, const Request& request, const PathValues& values) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  const std::string& name = values.at("name");
  const auto status = co_await node.status();
  if (!status) co_return refused(status.error());
  const auto found = std::find_if(status->services.begin(), status->services.end(),
                                  [&name](const ServiceStatus& service) { return service.name == name; });
  if (found == status->services.end())
    co_return http::problem(404, "No such service", {fmt::format("there is no service '{}'", name)});
  co_return json_response(to_json(*found));
}

awaitable<Response> get_flows(Node& node, const Request& request, std::size_t most) {
  auto query = parse_flow_query(request.target.query, most);
  if (!query) co_return bad_query(query.error());
  const std::size_t limit = query->limit;
  query->limit = limit + 1;  // one more than is shown tells whether there are more
  auto pending = node.flows(std::move(*query));
  auto flows = co_await std::move(pending);
  if (!flows) co_return refused(flows.error());
  const bool more = flows->size() > limit;
  if (more) flows->resize(limit);
  co_return json_response(to_json(*flows, more));
}

awaitable<Response> get_events(Node& node, const Request& request) {
  const auto query = parse_event_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  auto pending = node.events(query->after, query->wait);
  const auto events = co_await std::move(pending);
  if (!events) co_return refused(events.error());
  co_return json_response(to_json(*events));
}

awaitable<Response> post_reload(Node& node, const Request& request) {
  const auto dry_run = parse_reload_query(request.target.query);
  if (!dry_run) co_return bad_query(dry_run.error());
  const auto report = co_await node.reload(*dry_run);
  if (!report) co_return refused(report.error());
  co_return json_response(to_json(*report, *dry_run));
}

awaitable<Response> change_backend(Node& node, const PathValues& values, service::BackendChange change) {
  const std::string& service = values.at("name");
  const std::string& backend = values.at("backend");
  auto pending = node.change_backend(service, backend, std::move(change));
  const auto report = co_await std::move(pending);
  if (!report) co_return refused(report.error());
  Response response = json_response(to_json(service, backend, *report));
  if (report->applied == service::Applied::kCreated) response.status = 201;
  co_return response;
}

using ParseChange = Outcome<service::BackendChange> (*)(const std::string& body);

awaitable<Response> put_or_patch_backend(Node& node, const Request& request, const PathValues& values, ParseChange parse) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  auto change = parse(request.body);
  if (!change) co_return refused(change.error());
  auto pending = change_backend(node, values, std::move(*change));
  co_return co_await std::move(pending);
}

awaitable<Response> delete_backend(Node& node, const Request& request, const PathValues& values) {
  const auto reset = parse_remove_query(request.target.query);
  if (!reset) co_return bad_query(reset.error());
  service::BackendChange change = service::RemoveBackend{};
  if (*reset) change = service::ResetBackend{};
  auto pending = change_backend(node, values, std::move(change));
  co_return co_await std::move(pending);
}

awaitable<Response> get_pick(Node& node, const Request& request, const PathValues& values) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  const std::string& service = values.at("name");
  const auto picked = co_await node.pick(service);
  if (!picked) co_return refused(picked.error());
  co_return json_response(to_json(service, *picked));
}

awaitable<Response> post_rebalance(Node& node, const Request& request, const PathValues& values) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  const auto rate = parse_rebalance(request.body);
  if (!rate) co_return refused(rate.error());
  const std::string& service = values.at("name");
  const auto report = co_await node.rebalance(service, *rate);
  if (!report) co_return refused(report.error());
  co_return json_response(to_json(service, *rate, *report));
}

awaitable<Response> post_failover(Node& node, const Request& request) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  const auto force = parse_failover(request.body);
  if (!force) co_return refused(force.error());
  const auto done = co_await node.failover(*force);
  if (!done) co_return refused(done.error());
  co_return json_response(detail_json(*done));
}

awaitable<Response> post_role(Node& node, const Request& request) {
  const auto query = parse_no_query(request.target.query);
  if (!query) co_return bad_query(query.error());
  const auto active = parse_role(request.body);
  if (!active) co_return refused(active.error());
  const auto done = co_await node.set_role(*active);
  if (!done) co_return refused(done.error());
  co_return json_response(detail_json(*done));
}

awaitable<Response> get_metrics(Node& node) {
  const auto status = co_await node.status();
  if (!status) co_return refused(status.error());
  co_return text_response("text/plain; version=0.0.4; charset=utf-8", metrics::render(*status));
}

awaitable<Response> get_healthz(Node& node) {
  if (node.alive()) co_return text_response("text/plain; charset=utf-8", "ok\n");
  co_return http::problem(503, "The daemon hangs", {"the thread that programs the kernel does not turn"});
}

awaitable<Response> get_readyz(Node& node) {
  if (node.ready()) co_return text_response("text/plain; charset=utf-8", "ready\n");
  co_return http::problem(503, "Not ready", {"this node does not carry traffic"});
}

awaitable<Response> get_page() {
  Response response = text_response("text/html; charset=utf-8", std::string(status_page()));
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  co_return response;
}

}  // namespace

std::vector<http::Route> make_routes(Node& node, std::size_t max_flows) {
  return {
      {"GET", "/", http::kReads, [](const Request&, const PathValues&) { return get_page(); }},
      {"GET", "/healthz", http::kReads, [&node](const Request&, const PathValues&) { return get_healthz(node); }},
      {"GET", "/readyz", http::kReads, [&node](const Request&, const PathValues&) { return get_readyz(node); }},
      {"GET", "/metrics", http::kReads, [&node](const Request&, const PathValues&) { return get_metrics(node); }},
      {"GET", "/v1/status", http::kReads, [&node](const Request& request, const PathValues&) { return get_status(node, request); }},
      {"GET", "/v1/services/{name}", http::kReads,
       [&node](const Request& request, const PathValues& values) { return get_service(node, request, values); }},
      {"GET", "/v1/flows", http::kReads,
       [&node, max_flows](const Request& request, const PathValues&) { return get_flows(node, request, max_flows); }},
      {"GET", "/v1/events", http::kReads, [&node](const Request& request, const PathValues&) { return get_events(node, request); }},
      {"POST", "/v1/reload", http::kChanges,
       [&node](const Request& request, const PathValues&) { return post_reload(node, request); }},
      {"GET", "/v1/services/{name}/pick", http::kReads,
       [&node](const Request& request, const PathValues& values) { return get_pick(node, request, values); }},
      {"POST", "/v1/services/{name}/rebalance", http::kChanges,
       [&node](const Request& request, const PathValues& values) { return post_rebalance(node, request, values); }},
      {"PUT", "/v1/services/{name}/backends/{backend}", http::kChanges,
       [&node](const Request& request, const PathValues& values) {
         return put_or_patch_backend(node, request, values, parse_add);
       }},
      {"PATCH", "/v1/services/{name}/backends/{backend}", http::kChanges,
       [&node](const Request& request, const PathValues& values) {
         return put_or_patch_backend(node, request, values, parse_edit);
       }},
      {"DELETE", "/v1/services/{name}/backends/{backend}", http::kChanges,
       [&node](const Request& request, const PathValues& values) { return delete_backend(node, request, values); }},
      {"POST", "/v1/failover", http::kChanges,
       [&node](const Request& request, const PathValues&) { return post_failover(node, request); }},
      {"POST", "/v1/role", http::kChanges, [&node](const Request& request, const PathValues&) { return post_role(node, request); }},
  };
}

}  // namespace wsl4::control
