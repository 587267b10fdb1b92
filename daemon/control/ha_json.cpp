// The pair as JSON.
#include "daemon/control/json.h"
#include "daemon/control/json_values.h"

namespace wsl4::control {
namespace {

namespace json = boost::json;

json::object to_json(const PeerStatus& peer) {
  json::object object;
  object["name"] = text_or_null(peer.name);
  object["address"] = peer.address.to_string();
  object["connected"] = peer.connected;
  object["role"] = text_or_null(peer.role);
  return object;
}

json::object no_peer() {
  json::object object;
  object["name"] = nullptr;
  object["address"] = nullptr;
  object["connected"] = false;
  object["role"] = nullptr;
  return object;
}

json::object to_json(const SyncStatus& sync) {
  json::object object;
  object["state"] = sync.state;
  object["flows"] = sync.flows;
  object["pending"] = sync.pending;
  object["lag_ms"] = round_to(sync.lag_ms, kThousandths);
  object["sent"] = sync.sent;
  object["received"] = sync.received;
  object["resyncs"] = sync.resyncs;
  object["repairs"] = sync.repairs;
  object["refused"] = sync.refused;
  object["bytes_sent"] = sync.bytes_sent;
  object["bytes_received"] = sync.bytes_received;
  return object;
}

json::object to_json(const std::map<std::string, std::uint64_t>& counts) { return json::object(counts.begin(), counts.end()); }

json::object adverts_json(const HaStatus& ha) {
  json::object object;
  object["sent"] = ha.adverts_sent;
  object["received"] = ha.adverts_received;
  object["rejected"] = to_json(ha.adverts_rejected);
  return object;
}

/// Null before the first one.
json::value takeover_json(const HaStatus& ha) {
  if (ha.takeover_plan.empty()) return nullptr;
  json::array phases;
  for (const TakeoverPhase& phase : ha.takeover) {
    json::object object;
    object["step"] = phase.step;
    object["took_ms"] = round_to(std::chrono::duration<double, std::milli>(phase.took).count(), kThousandths);
    object["done"] = phase.done;
    phases.push_back(std::move(object));
  }
  json::object object;
  object["plan"] = ha.takeover_plan;
  object["phases"] = std::move(phases);
  return object;
}

}  // namespace

json::object to_json(const HaStatus& ha) {
  json::object object;
  object["election"] = ha.election;
  object["peer"] = ha.peer ? to_json(*ha.peer) : no_peer();
  object["sync"] = to_json(ha.sync);
  object["transitions"] = ha.transitions;
  object["priority"] = ha.priority;
  object["adverts"] = adverts_json(ha);
  object["link_connections"] = ha.link_connections;
  object["link_refusals"] = to_json(ha.link_refusals);
  object["takeover"] = takeover_json(ha);
  object["differing_keys"] = to_array(ha.differing_keys);
  return object;
}

}  // namespace wsl4::control
