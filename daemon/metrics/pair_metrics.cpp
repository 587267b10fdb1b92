// The pair: the role, the peer, copies of flows, adverts, the last takeover.
#include <map>
#include <string>

#include "daemon/metrics/metric.h"

namespace wsl4::metrics {
namespace {

using control::HaStatus;
using control::Status;
using control::SyncStatus;

constexpr double kMillisecondsPerSecond = 1000;

bool is_single(const Status& status) { return status.ha.election == "none"; }

template <class Read>
Samples of_pair(const Status& status, Read read) {
  return is_single(status) ? Samples{} : single(number(read(status.ha)));
}

template <class Read>
Samples of_sync(const Status& status, Read read) {
  return is_single(status) ? Samples{} : single(number(read(status.ha.sync)));
}

Samples sync_states(const Status& status) {
  if (is_single(status)) return {};
  Samples samples;
  for (const char* state : {"disconnected", "bulk", "synced"})
    samples.push_back({{{"state", state}}, status.ha.sync.state == state ? 1.0 : 0.0});
  return samples;
}

Samples by_label(const std::string& label, const std::map<std::string, std::uint64_t>& counts) {
  Samples samples;
  for (const auto& [value, count] : counts) samples.push_back({{{label, value}}, number(count)});
  return samples;
}

Samples takeover_phases(const Status& status) {
  std::map<std::string, std::chrono::duration<double>> steps;
  for (const auto& phase : status.ha.takeover) steps[phase.step] += phase.took;
  Samples samples;
  for (const auto& [step, took] : steps) samples.push_back({{{"step", step}}, took.count()});
  return samples;
}

}  // namespace

std::vector<Metric> pair_metrics() {
  return {
      {{"wsl4_role_changes_total", "Times that the role of this node changed.", kCounter},
       [](const Status& s) { return of_pair(s, [](const HaStatus& v) { return v.transitions; }); }},
      {{"wsl4_peer_connected", "1 while the other node of the pair is connected, else 0."},
       [](const Status& s) { return of_pair(s, [](const HaStatus& v) { return v.peer && v.peer->connected; }); }},
      {{"wsl4_sync_state", "1 for the state of the sync session, 0 for the others: disconnected, bulk and synced."}, sync_states},
      {{"wsl4_sync_flows", "Flows that this node holds, its own and copies of the peer's."},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.flows; }); }},
      {{"wsl4_sync_pending", "Changes of flows that the standby's kernel does not have yet."},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.pending; }); }},
      {{"wsl4_sync_lag_seconds", "How far the standby is behind: age of the oldest pending change, or how long the last one took."},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.lag_ms / kMillisecondsPerSecond; }); }},
      {{"wsl4_sync_sent_flows_total", "Flows and ends of flows sent to the peer.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.sent; }); }},
      {{"wsl4_sync_received_flows_total", "Flows and ends of flows received from the peer.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.received; }); }},
      {{"wsl4_sync_sent_bytes_total", "Bytes sent to the peer.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.bytes_sent; }); }},
      {{"wsl4_sync_received_bytes_total", "Bytes received from the peer.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.bytes_received; }); }},
      {{"wsl4_sync_resyncs_total", "Comparisons of the two nodes that found a difference.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.resyncs; }); }},
      {{"wsl4_sync_repairs_total", "Flows that this node's kernel did not have as it should, and that were mended.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.repairs; }); }},
      {{"wsl4_sync_refused_total", "Flows that this node's kernel refused.", kCounter},
       [](const Status& s) { return of_sync(s, [](const SyncStatus& v) { return v.refused; }); }},
      {{"wsl4_link_connections_total", "Connections to the other node that have come about; each but the first follows a lost one.",
        kCounter},
       [](const Status& s) { return of_pair(s, [](const HaStatus& v) { return v.link_connections; }); }},
      {{"wsl4_link_refusals_total",
        "Connections of the link between the nodes that were refused, or closed since they were tampered with, by reason.",
        kCounter},
       [](const Status& s) { return by_label("reason", s.ha.link_refusals); }},
      {{"wsl4_adverts_sent_total", "VRRP adverts sent.", kCounter},
       [](const Status& s) { return of_pair(s, [](const HaStatus& v) { return v.adverts_sent; }); }},
      {{"wsl4_adverts_received_total", "VRRP adverts received.", kCounter},
       [](const Status& s) { return of_pair(s, [](const HaStatus& v) { return v.adverts_received; }); }},
      {{"wsl4_adverts_rejected_total", "Packets that came as VRRP adverts and were none for this node, by reason.", kCounter},
       [](const Status& s) { return by_label("reason", s.ha.adverts_rejected); }},
      {{"wsl4_takeover_phase_seconds", "How long each step took when this node last took the active role or gave it up."},
       takeover_phases},
  };
}

}  // namespace wsl4::metrics
