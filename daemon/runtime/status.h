// From what the daemon and the kernel know to what status, flows and metrics show. Pure.
#pragma once

#include <optional>
#include <string>

#include "daemon/config/config.h"
#include "daemon/control/node.h"
#include "daemon/runtime/health_watch.h"
#include "daemon/runtime/joined_view.h"
#include "daemon/runtime/kernel_worker.h"
#include "daemon/service/assembler.h"

namespace wsl4::runtime {

/// What the control thread knows beside the desired state.
struct Surroundings {
  const config::Config& file;
  const std::map<std::string, service::LaidService>& laid;
  std::vector<health::Status> health;
  std::chrono::steady_clock::time_point now;
  service::WallTime wall;
  JoinedView joined = {};
  std::vector<service::KnownBackend> left = {};  // that are not configured any more
};

/// Fills `services`, the counts of the `kernel` block and the warnings that follow from them.
void describe_services(control::Status& status, const service::DesiredState& desired, const Surroundings& surroundings,
                       const KernelCounts& counts);

/// "no backend takes new connections", or none over one of the address families that the service listens on; none: there are.
[[nodiscard]] std::optional<std::string> lack_of_backends(const service::ServiceState& service);

/// Which backend a number stands for.
struct BackendName {
  std::string service, backend;
};
using BackendNames = boost::unordered_flat_map<service::BackendId, BackendName>;
/// `left`: backends that are not configured any more, of services that have gone too.
[[nodiscard]] BackendNames backend_names(const service::DesiredState& desired, const std::vector<service::KnownBackend>& left);

/// Why no flow can be meant: a service or backend that is neither in `file` nor has flows still. Nothing if one can.
[[nodiscard]] std::optional<std::string> unknown_name(const control::FlowQuery& query, const BackendNames& names,
                                                      const config::Config& file);
[[nodiscard]] bool matches(const control::FlowQuery& query, const netlink::conntrack::Flow& flow, const BackendName& backend);
[[nodiscard]] control::FlowView to_view(const netlink::conntrack::Flow& flow, const BackendName& backend,
                                        control::WallClock::time_point now);

}  // namespace wsl4::runtime
