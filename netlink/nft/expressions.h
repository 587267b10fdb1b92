// Statements as the kernel's register expressions, in the order and with the implicit dependencies that nft itself would choose.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "netlink/nft/ruleset.h"

struct nftnl_rule;

namespace wsl4::netlink::nft {

struct FreeRule {
  void operator()(nftnl_rule* rule) const;
};
using RulePtr = std::unique_ptr<nftnl_rule, FreeRule>;

/// NF_ACCEPT, NFT_GOTO … of linux/netfilter.h and nf_tables.h.
[[nodiscard]] int verdict_code(Verdict::Kind kind);

void add_expressions(nftnl_rule& rule, const std::vector<Statement>& statements);

}  // namespace wsl4::netlink::nft
