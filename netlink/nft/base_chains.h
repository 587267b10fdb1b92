// The base chains of all nftables tables, ours and foreign: also what iptables-nft made is seen. What is older (iptables-legacy)
// is no nftables and not seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "netlink/nft/ruleset.h"
#include "netlink/result.h"

namespace wsl4::netlink::nft {

struct BaseChain {
  std::string family;  // "ip", "ip6", "inet": others are passed over
  std::string table, name;
  Hook::Point point = Hook::Point::kPrerouting;
  std::int32_t priority = 0;
  bool policy_drop = false;
  bool accepts_translated = false;  // by one of its rules (accept_rule.h); looked for in forward chains with policy drop only
  friend bool operator==(const BaseChain&, const BaseChain&) = default;
};

/// Those of the calling thread's network namespace. Needs CAP_NET_ADMIN there (EPERM).
[[nodiscard]] Result<std::vector<BaseChain>> read_base_chains();

}  // namespace wsl4::netlink::nft
