// Services, their backends and their SNAT ports.
#include <map>
#include <utility>

#include "daemon/metrics/metric.h"

namespace wsl4::metrics {
namespace {

using control::BackendStatus;
using control::ServiceStatus;
using control::SnatAddressStatus;
using control::Status;

template <class Read>
Samples per_service(const Status& status, Read read) {
  Samples samples;
  for (const ServiceStatus& service : status.services) samples.push_back({{{"service", service.name}}, read(service)});
  return samples;
}

/// `read` returns a double or a Value.
template <class Read>
Samples per_backend(const Status& status, Read read) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    for (const BackendStatus& backend : service.backends) {
      const Value value = read(backend);
      if (!value) continue;
      samples.push_back({{{"service", service.name}, {"backend", backend.name}, {"address", backend.address.to_string()}}, *value});
    }
  }
  return samples;
}

template <class Read>
Samples per_snat(const Status& status, Read read) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    const Value value = service.snat ? Value(read(*service.snat)) : std::nullopt;
    if (value) samples.push_back({{{"service", service.name}, {"pool", service.snat->pool}}, *value});
  }
  return samples;
}

Samples refused(const Status& status) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    for (const auto& [reason, count] : service.refused_by) {
      samples.push_back({{{"service", service.name}, {"reason", reason}}, number(count)});
    }
  }
  return samples;
}

template <class Read>
Samples per_snat_address(const Status& status, Read read) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    if (!service.snat) continue;
    for (const auto& entry : service.snat->addresses) {
      Labels labels{{"service", service.name}, {"pool", service.snat->pool}, {"address", entry.address.to_string()}};
      samples.push_back({std::move(labels), number(read(entry))});
    }
  }
  return samples;
}

Samples backend_states(const Status& status) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    for (const BackendStatus& backend : service.backends) {
      Labels labels{
          {"service", service.name}, {"backend", backend.name}, {"address", backend.address.to_string()}, {"state", backend.state}};
      samples.push_back({std::move(labels), 1});
    }
  }
  return samples;
}

Samples failing_discoveries(const Status& status) {
  Samples samples;
  for (const ServiceStatus& service : status.services)
    if (service.discovery) samples.push_back({{{"service", service.name}}, service.discovery->failing ? 1.0 : 0.0});
  return samples;
}

Samples backend_sources(const Status& status) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    std::map<std::string, double> counts{{"file", 0}, {"added", 0}, {"registered", 0}, {"discovered", 0}};
    for (const BackendStatus& backend : service.backends)
      if (!backend.source.empty()) ++counts[backend.source];
    for (const auto& [source, count] : counts) samples.push_back({{{"service", service.name}, {"source", source}}, count});
  }
  return samples;
}

Samples health_types(const Status& status) {
  Samples samples;
  for (const ServiceStatus& service : status.services) {
    samples.push_back({{{"service", service.name}, {"type", service.health}}, 1});
  }
  return samples;
}

}  // namespace

std::vector<Metric> service_metrics() {
  return {
      {{"wsl4_service_connections", "Established flows of a service."},
       [](const Status& s) { return per_service(s, [](const ServiceStatus& v) { return number(v.connections); }); }},
      {{"wsl4_service_connections_total", "Flows that a service has taken.", kCounter},
       [](const Status& s) { return per_service(s, [](const ServiceStatus& v) { return number(v.total); }); }},
      {{"wsl4_service_refused_total", "New flows that a service refused, by reason.", kCounter}, refused},
      {{"wsl4_service_health", "1, with how a service's backends are checked: tcp, http, https, websocket, websockets or none."},
       health_types},
      {{"wsl4_service_backends",
        "Backends of a service by where they come from: file, added (at run time), registered or discovered."},
       backend_sources},
      {{"wsl4_service_discovery_failing",
        "1 while DNS does not tell a service's backends, so that the last answer stays in use, else 0."},
       failing_discoveries},
      {{"wsl4_backend_lease_seconds", "Time until the registration of a backend lapses, if it is not renewed."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return seconds(v.lease); }); }},
      {{"wsl4_backend_connections", "Established flows of a backend."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return number(v.connections); }); }},
      {{"wsl4_backend_connections_total", "Flows that a backend has got.", kCounter},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return number(v.total); }); }},
      {{"wsl4_backend_share_ratio", "Share of a service's new flows that a backend gets now, 0 to 1."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return v.share; }); }},
      {{"wsl4_backend_weight", "Weight of a backend, 0 to 1000."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return number(v.weight); }); }},
      {{"wsl4_backend_connections_half_open", "Flows of a backend that are not established yet."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return number(v.half_open); }); }},
      {{"wsl4_backend_connections_max", "Flows that a backend may carry; 0: what the pool can carry."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return number(v.max_connections); }); }},
      {{"wsl4_backend_check_ok", "1 if the last health check of a backend was good, else 0; none of one that is not checked."},
       [](const Status& s) {
         return per_backend(s, [](const BackendStatus& v) { return v.check ? Value(v.check->ok ? 1 : 0) : std::nullopt; });
       }},
      {{"wsl4_backend_check_age_seconds", "Time since the last health check of a backend ended."},
       [](const Status& s) {
         return per_backend(s,
                            [](const BackendStatus& v) { return v.check ? seconds(std::optional(v.check->age)) : std::nullopt; });
       }},
      {{"wsl4_backend_empty_in_seconds", "Estimate of the time until a backend that drains has no flow left."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return seconds(v.empty_in); }); }},
      {{"wsl4_backend_changed", "1 if a backend was changed at run time, so that it differs from the configuration, else 0."},
       [](const Status& s) { return per_backend(s, [](const BackendStatus& v) { return v.changed ? 1.0 : 0.0; }); }},
      {{"wsl4_backend_state", "1, with the state of a backend: up, down, checking, draining, disabled or full."}, backend_states},
      {{"wsl4_snat_address_connections", "Established flows of a service that use a pool address."},
       [](const Status& s) { return per_snat_address(s, [](const SnatAddressStatus& v) { return v.connections; }); }},
      {{"wsl4_snat_address_ports_used",
        "Ports of a pool address that are held towards a service's backends, by whichever services."},
       [](const Status& s) { return per_snat_address(s, [](const SnatAddressStatus& v) { return v.used; }); }},
      {{"wsl4_snat_ports_used", "Ports of a service's pool that are held towards its backends, by whichever services."},
       [](const Status& s) { return per_snat(s, [](const control::SnatStatus& v) { return number(v.used); }); }},
      {{"wsl4_snat_ports_capacity", "Flows that a service's pool can carry to its backends."},
       [](const Status& s) { return per_snat(s, [](const control::SnatStatus& v) { return number(v.capacity); }); }},
      {{"wsl4_snat_worst_use_ratio", "Highest share of used ports over all pairs of pool address and backend, 0 to 1."},
       [](const Status& s) { return per_snat(s, [](const control::SnatStatus& v) { return v.worst_use; }); }},
      {{"wsl4_snat_pairs_full", "Pairs of pool address and backend that have no free port."},
       [](const Status& s) { return per_snat(s, [](const control::SnatStatus& v) { return number(v.pairs_full); }); }},
      {{"wsl4_snat_full_in_seconds", "Estimate of the time until a service's pool is full, at the present rate."},
       [](const Status& s) { return per_snat(s, [](const control::SnatStatus& v) { return seconds(v.full_in); }); }},
  };
}

}  // namespace wsl4::metrics
