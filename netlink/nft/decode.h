// What the kernel lists of a table, message by message, into a Table. Each function takes one message's body (struct nfgenmsg and
// attributes) and passes over what does not belong to `table.name` or makes no sense: lengths are never trusted.
#pragma once

#include <map>

#include "netlink/message.h"
#include "netlink/nft/nftables.h"
#include "netlink/nft/ruleset.h"

namespace wsl4::netlink::nft {

void decode_table(ByteSpan payload, Table& table);
/// Anonymous chains and sets belong to a rule, and are passed over.
void decode_chain(ByteSpan payload, Table& table);
void decode_set(ByteSpan payload, Table& table);
/// The set must be known.
void decode_elements(ByteSpan payload, Table& table);
/// Counters; an object of any other kind makes the table one with something unknown, as a flowtable does.
void decode_object(ByteSpan payload, Table& table, std::map<std::string, CounterValue>& values);
void decode_flowtable(ByteSpan payload, Table& table);
/// The chain must be known. A rule that this library did not write becomes one without statements whose comment is "foreign".
void decode_rule(ByteSpan payload, Table& table);

}  // namespace wsl4::netlink::nft
