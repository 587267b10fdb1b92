#include "daemon/control/json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>

#include "daemon/control/json_values.h"

namespace wsl4::control {
namespace {

namespace json = boost::json;

template <class Duration>
json::value seconds_or_null(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  return duration->count();
}

json::array to_array(const std::vector<netlink::Endpoint>& endpoints) {
  json::array array;
  for (const auto& endpoint : endpoints) array.emplace_back(endpoint.to_string());
  return array;
}

json::value to_json(const std::optional<CheckStatus>& check) {
  if (!check) return nullptr;
  json::object object;
  object["ok"] = check->ok;
  object["detail"] = check->detail;
  object["age_s"] = round_to(std::chrono::duration<double>(check->age).count(), kTenths);
  return object;
}

json::object to_json(const BackendStatus& backend) {
  json::object object;
  object["name"] = backend.name;
  object["address"] = backend.address.to_string();
  object["state"] = backend.state;
  object["weight"] = backend.weight;
  object["connections"] = backend.connections;
  object["max_connections"] = backend.max_connections;
  object["share"] = round_to(backend.share, kMillionths);
  object["total"] = backend.total;
  object["check"] = to_json(backend.check);
  object["reason"] = backend.reason;
  object["changed"] = backend.changed;
  object["half_open"] = backend.half_open;
  object["empty_in_s"] = seconds_or_null(backend.empty_in);
  object["public"] = text_or_null(backend.public_address);
  object["source"] = text_or_null(backend.source);
  object["lease_s"] = seconds_or_null(backend.lease);
  return object;
}

json::value to_json(const std::optional<DiscoveryStatus>& discovery) {
  if (!discovery) return nullptr;
  json::object object;
  object["source"] = discovery->source;
  object["failing"] = discovery->failing;
  object["error"] = text_or_null(discovery->error);
  object["last_success"] = discovery->last_success ? json::value(to_iso8601(*discovery->last_success)) : nullptr;
  return object;
}

json::value to_json(const std::optional<SnatStatus>& snat) {
  if (!snat) return nullptr;
  json::array addresses;
  for (const auto& entry : snat->addresses) {
    json::object address;
    address["address"] = entry.address.to_string();
    address["connections"] = entry.connections;
    address["used"] = entry.used;
    addresses.push_back(std::move(address));
  }
  json::object object;
  object["pool"] = snat->pool;
  object["addresses"] = std::move(addresses);
  object["capacity"] = snat->capacity;
  object["used"] = snat->used;
  object["worst_use"] = round_to(snat->worst_use, kMillionths);
  object["pairs_full"] = snat->pairs_full;
  object["full_in_s"] = seconds_or_null(snat->full_in);
  return object;
}

json::object node_json(const Status& status) {
  json::object node;
  node["name"] = status.node_name;
  node["role"] = status.role;
  node["role_since"] = to_iso8601(status.role_since);
  node["uptime_s"] = status.uptime.count();
  return node;
}

json::object kernel_json(const Status& status) {
  json::object conntrack;
  conntrack["count"] = status.conntrack_count;
  conntrack["max"] = status.conntrack_max;
  json::object kernel;
  kernel["release"] = status.kernel_release;
  kernel["conntrack"] = std::move(conntrack);
  kernel["ruleset_in_sync"] = status.ruleset_in_sync;
  kernel["ruleset_repairs"] = status.ruleset_repairs;
  kernel["event_overruns"] = status.event_overruns;
  kernel["dumps"] = status.dumps;
  return kernel;
}

json::object to_json(const FlowView& flow) {
  json::object object;
  object["service"] = flow.service;
  object["backend"] = flow.backend;
  object["protocol"] = flow.protocol;
  object["client"] = flow.client.to_string();
  object["vip"] = flow.vip.to_string();
  object["snat"] = flow.snat.to_string();
  object["server"] = flow.server.to_string();
  object["state"] = flow.state;
  object["expires_s"] = flow.expires.count();
  object["age_s"] = seconds_or_null(flow.age);
  return object;
}

json::object to_json(const NodeEvent& event) {
  json::object object;
  object["sequence"] = event.sequence;
  object["time"] = to_iso8601(event.time);
  object["name"] = event.name;
  object["service"] = event.service;
  object["backend"] = event.backend;
  object["detail"] = event.detail;
  return object;
}

json::object to_json(const PlacedAddress& placed) {
  json::object object;
  object["address"] = placed.address.to_string();
  object["interface"] = placed.interface;
  return object;
}

json::object to_json(const SysctlChange& change) {
  json::object object;
  object["name"] = change.name;
  object["before"] = change.before;
  object["value"] = change.value;
  return object;
}

template <class T>
json::array to_objects(const std::vector<T>& values) {
  json::array array;
  array.reserve(values.size());
  for (const T& value : values) array.push_back(to_json(value));
  return array;
}

std::string_view to_string(service::Applied applied) {
  switch (applied) {
    case service::Applied::kNothing:
      return "unchanged";
    case service::Applied::kReported:
      return "reported";
    case service::Applied::kChanged:
      return "changed";
    case service::Applied::kCreated:
      return "created";
  }
  return "";
}

}  // namespace

std::string to_iso8601(WallClock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(WallClock::to_time_t(seconds)));
}

json::object to_json(const ServiceStatus& service) {
  json::object refused_by;
  for (const char* reason : {"no_backend", "full", "client_limit"}) refused_by[reason] = 0;
  for (const auto& [reason, count] : service.refused_by) refused_by[reason] = count;

  json::object object;
  object["name"] = service.name;
  object["protocol"] = service.protocol;
  object["listen"] = to_array(service.listen);
  object["scheduler"] = service.scheduler;
  object["mode"] = service.mode;
  object["connections"] = service.connections;
  object["rate"] = round_to(service.rate, kTenths);
  object["total"] = service.total;
  object["refused"] = service.refused;
  object["backends"] = to_objects(service.backends);
  object["refused_by"] = std::move(refused_by);
  object["snat"] = to_json(service.snat);
  object["health"] = service.health;
  object["removed"] = to_array(service.removed);
  object["discovery"] = to_json(service.discovery);
  return object;
}

json::object to_json(const Status& status) {
  json::object object;
  object["version"] = status.version;
  object["node"] = node_json(status);
  object["ha"] = to_json(status.ha);
  object["services"] = to_objects(status.services);
  object["kernel"] = kernel_json(status);
  object["warnings"] = to_array(status.warnings);
  return object;
}

json::object to_json(const std::vector<FlowView>& flows, bool more) {
  json::object object;
  object["flows"] = to_objects(flows);
  object["more"] = more;
  return object;
}

json::object to_json(const std::vector<NodeEvent>& events) {
  json::object object;
  object["events"] = to_objects(events);
  return object;
}

json::object to_json(const ReloadReport& report, bool dry_run) {
  json::object object;
  object["changed"] = report.changed;
  object["dry_run"] = dry_run;
  object["nft"] = report.nft_text;
  object["warnings"] = to_array(report.warnings);
  object["read_anew"] = to_array(report.read_anew);
  object["addresses_added"] = to_objects(report.addresses_added);
  object["addresses_removed"] = to_objects(report.addresses_removed);
  object["sysctls"] = to_objects(report.sysctls);
  return object;
}

json::object to_json(const std::string& service, const std::string& backend, const ChangeReport& report) {
  json::object object;
  object["service"] = service;
  object["backend"] = backend;
  object["result"] = to_string(report.applied);
  object["connections"] = report.connections;
  object["warnings"] = to_array(report.warnings);
  return object;
}

json::object to_json(const std::string& service, const PickedBackend& picked) {
  json::object object;
  object["service"] = service;
  object["backend"] = picked.backend;
  object["address"] = picked.address.to_string();
  object["public"] = text_or_null(picked.public_address);
  return object;
}

json::object to_json(const std::string& service, std::uint32_t rate, const RebalanceReport& report) {
  json::object object;
  object["service"] = service;
  object["rate"] = rate;
  object["surplus"] = report.surplus;
  return object;
}

json::object detail_json(const std::string& detail) {
  json::object object;
  object["detail"] = detail;
  return object;
}

}  // namespace wsl4::control
