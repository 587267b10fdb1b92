// A configuration to change at run time, and seeded changes of all kinds, sensible ones and others.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/service/overlay.h"

namespace wsl4::test {

/// When changes are made.
inline constexpr service::Overlay::TimePoint kChangedAt{std::chrono::hours(1000)};

/// Service "chat": IPv4 and IPv6, backends b1 and b2 (198.18.2.11, .12, port 80) and v6 (2001:db8:2::11, port 80); service "dns":
/// UDP, IPv4, backend n1 (198.18.2.11:80). Pool "main" of 198.18.2.101 and 2001:db8:2::101.
[[nodiscard]] config::Config changeable_config();

/// A change of one of a few names, to one of a few values, so that sequences meet every refusal.
struct NamedChange {
  std::string service, backend;
  service::BackendChange change;
};
[[nodiscard]] NamedChange random_change(std::mt19937& random);

/// The same configuration with a backend fewer, another, one at another address, another weight, or without a service.
[[nodiscard]] config::Config edited(config::Config config, std::mt19937& random);

/// The whole configuration to work by.
struct Effective {
  config::Config config;
  service::Marks marks;
  std::vector<std::string> dormant;
};
[[nodiscard]] Effective effective(const service::Overlay& overlay, const config::Config& file);

}  // namespace wsl4::test
