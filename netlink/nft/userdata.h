// What a kernel object carries for user space: type-length-value runs of at most 256 bytes (kernel NFT_USERDATA_MAXLEN), one byte
// each for type and length. Comments and `typeof` are kept as nft keeps them (libnftnl udata.h), so that `nft list` shows them.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/message.h"
#include "netlink/nft/ruleset.h"

namespace wsl4::netlink::nft {

/// Of a table, chain, rule, counter or element: its comment. Empty for none.
[[nodiscard]] Bytes comment_userdata(const std::string& comment);
[[nodiscard]] std::string read_comment(ByteSpan userdata);

/// Of a set: byte orders, the types as expressions (`typeof`), the comment.
[[nodiscard]] Bytes set_userdata(const Set& spec);
[[nodiscard]] std::string read_set_comment(ByteSpan userdata);
[[nodiscard]] bool read_data_ranges(ByteSpan userdata);
/// 0 where it is not told.
[[nodiscard]] std::uint32_t read_slot_modulus(ByteSpan userdata);
/// TCP where it is not told.
[[nodiscard]] Protocol read_port_protocol(ByteSpan userdata);

/// Of a rule: its comment, and in a private type that nft passes over, its statements without the names that they use.
[[nodiscard]] Bytes rule_userdata(const Rule& rule);
/// The rule again, with the names of sets, counters and chains filled in from `names` in their order. nullopt: written by somebody
/// else, or `names` does not fit.
[[nodiscard]] std::optional<Rule> read_rule(ByteSpan userdata, const std::vector<std::string>& names);

}  // namespace wsl4::netlink::nft
