// A daemon for tests of the API: answers with values that the test sets, and remembers what it was asked.
#pragma once

#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/control/node.h"

namespace wsl4::test {

/// The status of the contract's example, less what a single node does not have.
[[nodiscard]] control::Status example_status();
/// What it has of the pair, and what a takeover adds.
[[nodiscard]] control::HaStatus example_ha();

class FakeNode final : public control::Node {
 public:
  control::Outcome<control::Status> status_answer = example_status();
  control::Outcome<control::ReloadReport> reload_answer = control::ReloadReport{};
  std::vector<control::FlowView> known_flows;
  std::vector<control::NodeEvent> known_events;
  control::Outcome<control::ChangeReport> change_answer = control::ChangeReport{service::Applied::kChanged, 33'333, {}};
  control::Outcome<control::PickedBackend> pick_answer = tl::make_unexpected(control::Refusal{503, "No backend has room", {}});
  control::Outcome<control::RebalanceReport> rebalance_answer = control::RebalanceReport{5'000};
  control::Outcome<std::string> failover_answer = "lb-b is active", role_answer = "this node is active";
  std::function<void(std::size_t)> on_events;  // before the n-th request for events is answered; on the server's thread
  bool is_ready = true, is_alive = true;

  std::vector<bool> reloads;  // dry_run of each
  std::vector<control::FlowQuery> flow_queries;
  std::vector<std::pair<std::uint64_t, std::chrono::milliseconds>> event_queries;

  std::vector<std::tuple<std::string, std::string, service::BackendChange>> changes;  // service, backend, what
  std::vector<std::string> picks;
  std::vector<std::pair<std::string, std::uint32_t>> rebalances;
  std::vector<bool> failovers, roles;  // force, active of each

  boost::asio::awaitable<control::Outcome<control::Status>> status() override;
  boost::asio::awaitable<control::Outcome<control::ReloadReport>> reload(bool dry_run) override;
  boost::asio::awaitable<control::Outcome<std::vector<control::FlowView>>> flows(control::FlowQuery query) override;
  boost::asio::awaitable<control::Outcome<std::vector<control::NodeEvent>>> events(std::uint64_t after,
                                                                                   std::chrono::milliseconds wait) override;
  boost::asio::awaitable<control::Outcome<control::ChangeReport>> change_backend(std::string service, std::string backend,
                                                                                 service::BackendChange change) override;
  boost::asio::awaitable<control::Outcome<control::PickedBackend>> pick(std::string service) override;
  boost::asio::awaitable<control::Outcome<control::RebalanceReport>> rebalance(std::string service, std::uint32_t rate) override;
  boost::asio::awaitable<control::Outcome<std::string>> failover(bool force) override;
  boost::asio::awaitable<control::Outcome<std::string>> set_role(bool active) override;
  [[nodiscard]] bool alive() const override { return is_alive; }
  [[nodiscard]] bool ready() const override { return is_ready; }
};

}  // namespace wsl4::test
