// Rules of others that let our flows pass, recognised in what the kernel lists of them. Pure.
#pragma once

#include "netlink/message.h"

namespace wsl4::netlink::nft {

/// Whether the rule accepts every flow whose destination was translated: `ct status dnat accept` of nft, or
/// `-m conntrack --ctstate DNAT -j ACCEPT` of iptables-nft; with other states beside it, counted or not. A rule that looks at
/// anything else too does not. `expressions` is the value of NFTA_RULE_EXPRESSIONS.
[[nodiscard]] bool accepts_translated(ByteSpan expressions);

}  // namespace wsl4::netlink::nft
