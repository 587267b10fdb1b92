// The API's answers as JSON. Names and shapes are promised to users; members may be added, never renamed.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "daemon/control/node.h"

namespace wsl4::control {

/// What `wsl4ctl status --json` prints.
[[nodiscard]] boost::json::object to_json(const Status& status);
[[nodiscard]] boost::json::object to_json(const ServiceStatus& service);
/// Every member is there on a single node too, so that scripts need no special case: its peer is not connected and has no name.
[[nodiscard]] boost::json::object to_json(const HaStatus& ha);

/// {"flows": […], "more": bool}; `more` says that there are flows beyond the limit.
[[nodiscard]] boost::json::object to_json(const std::vector<FlowView>& flows, bool more);

/// {"events": […]}
[[nodiscard]] boost::json::object to_json(const std::vector<NodeEvent>& events);

/// {"changed": …, "dry_run": …, "nft": "…", "warnings": […]}
[[nodiscard]] boost::json::object to_json(const ReloadReport& report, bool dry_run);

/// {"service": …, "backend": …, "result": "created", "connections": …, "warnings": […]}; result: created, changed, reported,
/// unchanged.
[[nodiscard]] boost::json::object to_json(const std::string& service, const std::string& backend, const ChangeReport& report);

/// {"service": …, "backend": …, "address": …, "public": …}; public is null if there is none.
[[nodiscard]] boost::json::object to_json(const std::string& service, const PickedBackend& picked);

/// {"service": …, "rate": …, "surplus": …}
[[nodiscard]] boost::json::object to_json(const std::string& service, std::uint32_t rate, const RebalanceReport& report);

/// {"detail": …}: a line for people.
[[nodiscard]] boost::json::object detail_json(const std::string& detail);

/// ISO 8601 in UTC: "2026-11-23T13:41:00Z".
[[nodiscard]] std::string to_iso8601(WallClock::time_point time);

}  // namespace wsl4::control
