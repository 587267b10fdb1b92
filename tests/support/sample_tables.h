// Tables "wsl4" that show one part of the language each, for tests of netlink/nft.
#pragma once

#include <cstdint>
#include <string>

#include "netlink/nft/ruleset.h"

namespace wsl4::test {

/// Slot -> block of ports of one pool address: `ports_per_block` ports each, the first from `first_port`. No comment.
netlink::nft::Set blocks_of(const netlink::IpAddress& address, std::uint32_t blocks, std::uint16_t first_port,
                            std::uint16_t ports_per_block);

/// Source translation by the map "blocks", in turn: two blocks of 198.18.2.101 or 2001:db8:2::101.
netlink::nft::Table port_blocks(netlink::Family family);

/// In the chain "limits": at most 2 flows a client by the set "connections", at most 3 at once and 1 a second by "rates", none of
/// those in the set "over"; the rest of TCP is counted by "refused" and reset.
netlink::nft::Table client_limits(netlink::Family family);

/// Makes the chain one of nat prerouting, and has it send what its rules leave of TCP of the server's family to the server.
void send_to(netlink::nft::Table& table, const std::string& chain, const netlink::Endpoint& server);

}  // namespace wsl4::test
