// The daemon's answers as text for people.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace wsl4::ctl {

// Each takes the JSON document of the API and throws boost::system::system_error or std::exception where that is not as expected.

/// Node, warnings, and each service with its backends and its pool.
[[nodiscard]] std::string status_text(const boost::json::object& status, bool colour);
/// A line each for election, peer, sync and, once there was one, the last takeover; empty on a single node. Takes status's `ha`.
[[nodiscard]] std::string pair_text(const boost::json::object& ha, bool colour);
/// A table, or words if there is no flow.
[[nodiscard]] std::string flows_text(const boost::json::object& flows, bool colour);
/// What a reload has done, in a line.
[[nodiscard]] std::string reloaded_text(const boost::json::object& report);
/// What a reload would do, as nft text; what else it would do is in comments behind it.
[[nodiscard]] std::string preview_text(const boost::json::object& report);
/// A line for each event.
[[nodiscard]] std::string events_text(const boost::json::object& events, bool colour);

}  // namespace wsl4::ctl
