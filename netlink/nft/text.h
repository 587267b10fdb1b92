// Rulesets in nft's own words (nft(8), version 1.0.6). Pure.
#pragma once

#include <string>

#include "netlink/nft/ruleset.h"
#include "netlink/nft/transaction.h"

namespace wsl4::netlink::nft {

/// "meta l4proto tcp dnat ip to numgen inc mod 4 map @chat-slots4 comment \"…\""
[[nodiscard]] std::string to_text(const Rule& rule);

/// One command per operation: "add rule inet wsl4 guard …".
[[nodiscard]] std::string to_text(const std::string& table, const Operation& operation);

}  // namespace wsl4::netlink::nft
