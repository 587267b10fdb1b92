// Query parameters of the API as values. Unknown parameters and bad values are errors, never silence.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include <tl/expected.hpp>

#include "daemon/control/node.h"

namespace wsl4::control {

using QueryParameters = std::map<std::string, std::string>;
/// The error is a sentence for people.
template <class T>
using Parsed = tl::expected<T, std::string>;

// In one answer; limit=0 asks for so many. An answer stays in memory until its reader has it, some 600 bytes a flow.
inline constexpr std::size_t kMaxFlows = 100'000, kMaxFlowsForAnybody = 1'000;
inline constexpr std::chrono::seconds kMaxEventWait{60};  // of one request for events

struct EventQuery {
  std::uint64_t after = 0;       // sequence of the last event known
  std::chrono::seconds wait{0};  // for the first event, 0-60
};

/// service, backend, client (an address), snat (address:port), limit (0-`most`, default 100; 0 is the most).
[[nodiscard]] Parsed<FlowQuery> parse_flow_query(const QueryParameters& parameters, std::size_t most = kMaxFlows);
/// after (default 0), wait (seconds).
[[nodiscard]] Parsed<EventQuery> parse_event_query(const QueryParameters& parameters);
/// dry_run: 0 or 1.
[[nodiscard]] Parsed<bool> parse_reload_query(const QueryParameters& parameters);
/// reset: 0 or 1.
[[nodiscard]] Parsed<bool> parse_remove_query(const QueryParameters& parameters);
/// For what takes none.
[[nodiscard]] Parsed<void> parse_no_query(const QueryParameters& parameters);

}  // namespace wsl4::control
