// Keeps the desired state as the configuration file, the changes at run time, health checks and slow starts make it, service by
// service: a change costs the services that it touches, however many others there are. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/service/newcomers.h"
#include "daemon/service/overlay.h"
#include "daemon/service/resolver.h"
#include "daemon/service/standing.h"
#include "daemon/service/state_change.h"

namespace wsl4::service {

class Assembler {
 public:
  struct Inputs {
    const config::Config& file;
    const Overlay& overlay;
    std::function<Verdicts(const std::string& service)> verdicts;
    WallTime now{};
  };
  /// The next state, as a change of the present one, and what has to be known of it.
  struct Draft {
    StateChange change;
    std::map<std::string, std::optional<LaidService>> laid;  // of all services that were looked at; none: as the file has it
    Resolver::Resolution resolution;
    std::map<std::string, Newcomers::OfService> newcomers;
  };

  /// `nothing`: a state without services, with what holds for all of them.
  explicit Assembler(DesiredState nothing) : desired_(std::move(nothing)), resolver_(desired_.mark) {}

  /// At the start, before the first draft: as Resolver and Newcomers.
  void adopt(const std::vector<KnownBackend>& backends, const std::vector<BackendId>& live, const std::vector<Newcomer>& starting);

  /// `touched`: every service of which an input may have become another since the last `accept`. Where the file is another one:
  /// those that differ in it (config::changed_services) and those with changes at run time. Slow starts are looked after here. The
  /// error says that there are no numbers left for backends.
  [[nodiscard]] tl::expected<Draft, std::string> draft(const Inputs& inputs, const std::set<std::string>& touched) const;
  /// The last draft has come true.
  void accept(Draft draft);

  /// As Resolver; the service is touched.
  [[nodiscard]] tl::expected<BackendId, std::string> learn(const std::string& service, const netlink::Endpoint& address) {
    return resolver_.learn(service, address);
  }
  /// As Resolver; the services that it returns are touched.
  std::set<std::string> forget_drained(const std::function<bool(BackendId)>& has_flows, std::uint64_t resyncs) {
    return resolver_.forget_drained(has_flows, resyncs);
  }

  [[nodiscard]] const DesiredState& desired() const { return desired_; }
  [[nodiscard]] const Resolver& resolver() const { return resolver_; }
  [[nodiscard]] std::vector<Newcomer> newcomers() const { return newcomers_.starting(); }
  /// Services with changes at run time.
  [[nodiscard]] const std::map<std::string, LaidService>& laid() const { return laid_; }

 private:
  DesiredState desired_;
  Resolver resolver_;
  Newcomers newcomers_;
  std::map<std::string, LaidService> laid_;
};

/// The service in effect: `own` is what the file says of it.
[[nodiscard]] const config::Service& in_effect(const std::map<std::string, LaidService>& laid, const config::Service& own);
/// Of the service's backends.
[[nodiscard]] const Marks& marks_of(const std::map<std::string, LaidService>& laid, const std::string& service);

}  // namespace wsl4::service
