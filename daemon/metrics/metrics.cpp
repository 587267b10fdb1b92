#include "daemon/metrics/metrics.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "daemon/metrics/metric.h"

namespace wsl4::metrics {
namespace {

using control::Status;

Samples roles(const Status& status) {
  Samples samples;
  for (const char* role : {"init", "active", "standby", "fault"})
    samples.push_back({{{"role", role}}, status.role == role ? 1.0 : 0.0});
  return samples;
}

prometheus::MetricFamily family_of(const Metric& metric, const Status& status) {
  prometheus::MetricFamily family;
  family.name = metric.declaration.name;
  family.help = metric.declaration.help;
  family.type = metric.declaration.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  for (Sample& sample : metric.collect(status)) {
    prometheus::ClientMetric value;
    value.label = std::move(sample.labels);
    (metric.declaration.counter ? value.counter.value : value.gauge.value) = sample.value;
    family.metric.push_back(std::move(value));
  }
  return family;
}

std::vector<Metric> all_metrics() {
  std::vector<Metric> all;
  for (const auto& metrics : {node_metrics(), pair_metrics(), service_metrics(), kernel_metrics()})
    all.insert(all.end(), metrics.begin(), metrics.end());
  return all;
}

}  // namespace

std::vector<Metric> node_metrics() {
  return {
      {{"wsl4_build_info", "1, with the version of the daemon and of the kernel it runs on."},
       [](const Status& s) -> Samples {
         return {{{{"version", s.version}, {"kernel", s.kernel_release}}, 1}};
       }},
      {{"wsl4_uptime_seconds", "Time since the daemon started."}, [](const Status& s) { return single(number(s.uptime.count())); }},
      {{"wsl4_role", "1 for the role of this node, 0 for the others: init, active, standby and fault."}, roles},
      {{"wsl4_warnings", "Warnings that `wsl4ctl status` shows now."},
       [](const Status& s) { return single(number(s.warnings.size())); }},
  };
}

std::vector<Metric> kernel_metrics() {
  return {
      {{"wsl4_conntrack_entries", "Entries in the kernel's connection table, those of others included."},
       [](const Status& s) { return single(number(s.conntrack_count)); }},
      {{"wsl4_conntrack_entries_max", "Entries that the kernel's connection table can hold."},
       [](const Status& s) { return single(number(s.conntrack_max)); }},
      {{"wsl4_conntrack_event_overruns_total", "Times that connection events were lost and counts healed by a dump.", kCounter},
       [](const Status& s) { return single(number(s.event_overruns)); }},
      {{"wsl4_conntrack_dumps_total", "Dumps of the connection table that the daemon has taken.", kCounter},
       [](const Status& s) { return single(number(s.dumps)); }},
      {{"wsl4_conntrack_reaped_total", "Entries of closed connections that the daemon took out since ports ran short.", kCounter},
       [](const Status& s) { return single(number(s.reaped)); }},
      {{"wsl4_ruleset_in_sync", "1 while the kernel's rules are those that the daemon wants, else 0."},
       [](const Status& s) { return single(s.ruleset_in_sync ? 1 : 0); }},
      {{"wsl4_ruleset_repairs_total", "Times that the rules were changed by others and repaired.", kCounter},
       [](const Status& s) { return single(number(s.ruleset_repairs)); }},
  };
}

std::vector<Declaration> declarations() {
  std::vector<Declaration> all;
  std::ranges::transform(all_metrics(), std::back_inserter(all), &Metric::declaration);
  return all;
}

std::string render(const Status& status) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : all_metrics()) families.push_back(family_of(metric, status));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace wsl4::metrics
