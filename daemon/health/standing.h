// What one check of a backend found, and what is known of a backend from many. Values only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace wsl4::health {

using TimePoint = std::chrono::steady_clock::time_point;

enum class Outcome : std::uint8_t {
  kOk,
  kConnectFailed,  // refused, timed out, unreachable
  kWrongAnswer,    // connected, but the answer is wrong, incomplete or late
  kNoVerdict,      // nothing was learned of the backend: the source address cannot be bound, no descriptor is left
};

struct CheckResult {
  Outcome outcome = Outcome::kNoVerdict;
  std::string detail;  // "101 in 0.8 ms", "connection refused", "expected 101, got 404"
};

/// A backend that is checking serves, until its first verdict.
enum class State : std::uint8_t { kChecking, kUp, kDown };
enum class Failure : std::uint8_t { kNone, kConnect, kAnswer };

/// Times are the clock's epoch where the thing has not happened yet.
struct Standing {
  State state = State::kChecking;
  Failure failure = Failure::kNone;  // what took it down; none while that is only presumed
  std::optional<bool> ok;            // what the last check with a verdict said
  std::string detail;                // of the last check, with or without a verdict
  TimePoint checked;                 // the last verdict
  TimePoint last_ok;
  TimePoint failing_since;  // first failure of those in a row that took it down, or of the present ones
  TimePoint down_since;
  friend bool operator==(const Standing&, const Standing&) = default;
};

}  // namespace wsl4::health
