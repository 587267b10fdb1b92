// What the active found of its backends, as its standby is told: a JSON document of the pair (docs/wire-format.md). Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "netlink/ip.h"

namespace wsl4::health {

struct PeerVerdict {
  bool down = false;
  std::string detail;                        // of one that is down: what its last check said
  std::vector<netlink::IpAddress> excluded;  // sources that do not reach it; sorted
  friend bool operator==(const PeerVerdict&, const PeerVerdict&) = default;
};

struct PeerVerdicts {
  /// By service and address: those that are down, or that some sources do not reach.
  std::map<std::pair<std::string, netlink::Endpoint>, PeerVerdict> named;
  /// Every backend has had its first verdict: all that are not named are up. Else nothing is known of them.
  bool settled = false;

  [[nodiscard]] std::optional<PeerVerdict> find(const std::string& service, const netlink::Endpoint& backend) const;
  friend bool operator==(const PeerVerdicts&, const PeerVerdicts&) = default;
};

[[nodiscard]] std::string to_text(const PeerVerdicts& verdicts);
/// The error says what is wrong first.
[[nodiscard]] tl::expected<PeerVerdicts, std::string> parse_verdicts(std::string_view text);

}  // namespace wsl4::health
