#include "tests/support/fake_node.h"

#include <algorithm>
#include <utility>

namespace wsl4::test {

using boost::asio::awaitable;
using control::Outcome;
using netlink::Endpoint;
using netlink::IpAddress;

control::Status example_status() {
  control::BackendStatus backend;
  backend.name = "erlang-1";
  backend.source = "file";
  backend.address = *Endpoint::parse("198.51.100.101:8888");
  backend.state = "up";
  backend.weight = 100;
  backend.connections = 33'333;
  backend.max_connections = 60'000;
  backend.share = 1.0 / 3;
  backend.total = 700'000;
  backend.check = {true, "101 in 0.8 ms", std::chrono::milliseconds(1100)};
  backend.public_address = "wss://erlang-1.example.com/ws";

  control::SnatStatus snat;
  snat.pool = "main";
  snat.addresses = {{*IpAddress::parse("198.51.100.16"), 6'250, 6'260}};
  snat.capacity = 3'145'680;
  snat.used = 100'000;
  snat.worst_use = 0.033;

  control::ServiceStatus service;
  service.name = "chat";
  service.protocol = "tcp";
  service.listen = {*Endpoint::parse("203.0.113.10:443"), *Endpoint::parse("[2001:db8::10]:443")};
  service.scheduler = "round-robin";
  service.mode = "snat";
  service.health = "websocket";
  service.connections = 100'000;
  service.rate = 123.4;
  service.total = 2'000'000;
  service.refused = 7;
  service.refused_by = {{"no_backend", 7}};
  service.backends = {backend};
  service.snat = snat;

  control::Status status;
  status.version = "0.1.0";
  status.node_name = "lb-a";
  status.role = "active";
  status.role_since = control::WallClock::from_time_t(1'795'441'260);  // 2026-11-23T13:41:00Z
  status.uptime = std::chrono::seconds(12);
  status.kernel_release = "6.12.5";
  status.services = {service};
  status.conntrack_count = 100'321;
  status.conntrack_max = 4'000'000;
  status.ruleset_in_sync = true;
  status.event_overruns = 0;
  status.dumps = 3;
  return status;
}

control::HaStatus example_ha() {
  control::HaStatus ha;
  ha.election = "vrrp";
  ha.peer = {"lb-b", *Endpoint::parse("198.51.100.2:4440"), true, "standby"};
  ha.sync.state = "synced";
  ha.sync.flows = 100'000;
  ha.sync.lag_ms = 1.2;
  ha.sync.sent = 1;
  ha.sync.bytes_sent = 4'400'000;
  ha.sync.bytes_received = 2'000;
  ha.transitions = 1;
  ha.priority = 150;
  ha.adverts_sent = 120;
  ha.adverts_received = 3;
  ha.adverts_rejected = {{"ttl", 2}, {"vrid", 0}};
  ha.link_connections = 2;
  ha.link_refusals = {{"unknown_key", 4}};
  ha.takeover_plan = "take";
  ha.takeover = {{"guard-drop", std::chrono::microseconds(87), true}, {"add-addresses", std::chrono::microseconds(2'350), true}};
  return ha;
}

awaitable<Outcome<control::Status>> FakeNode::status() { co_return status_answer; }

awaitable<Outcome<control::ReloadReport>> FakeNode::reload(bool dry_run) {
  reloads.push_back(dry_run);
  co_return reload_answer;
}

awaitable<Outcome<std::vector<control::FlowView>>> FakeNode::flows(control::FlowQuery query) {
  flow_queries.push_back(query);
  std::vector<control::FlowView> shown = known_flows;
  if (query.limit != 0 && shown.size() > query.limit) shown.resize(query.limit);
  co_return shown;
}

awaitable<Outcome<std::vector<control::NodeEvent>>> FakeNode::events(std::uint64_t after, std::chrono::milliseconds wait) {
  event_queries.emplace_back(after, wait);
  if (on_events) on_events(event_queries.size());
  std::vector<control::NodeEvent> shown;
  std::copy_if(known_events.begin(), known_events.end(), std::back_inserter(shown),
               [after](const control::NodeEvent& event) { return event.sequence > after; });
  co_return shown;
}

awaitable<Outcome<control::ChangeReport>> FakeNode::change_backend(std::string service, std::string backend,
                                                                   service::BackendChange change) {
  changes.emplace_back(std::move(service), std::move(backend), std::move(change));
  co_return change_answer;
}

awaitable<Outcome<control::PickedBackend>> FakeNode::pick(std::string service) {
  picks.push_back(std::move(service));
  co_return pick_answer;
}

awaitable<Outcome<control::RebalanceReport>> FakeNode::rebalance(std::string service, std::uint32_t rate) {
  rebalances.emplace_back(std::move(service), rate);
  co_return rebalance_answer;
}

awaitable<Outcome<std::string>> FakeNode::failover(bool force) {
  failovers.push_back(force);
  co_return failover_answer;
}

awaitable<Outcome<std::string>> FakeNode::set_role(bool active) {
  roles.push_back(active);
  co_return role_answer;
}

}  // namespace wsl4::test
