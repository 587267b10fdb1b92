#include "netlink/nft/decode.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/nft/batch.h"
#include "netlink/nft/expressions.h"
#include "netlink/nft/userdata.h"

namespace wsl4::netlink::nft {

namespace {

std::uint32_t number(ByteSpan value) { return read_be32(value).value_or(0); }

/// Keys and data as this library holds them: every field padded to a register.
Bytes padded(ByteSpan value) {
  Bytes bytes(value.begin(), value.end());
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

/// Runs `take` on each attribute behind the nfgenmsg.
template <class Take>
void each(ByteSpan payload, Take&& take) {
  if (payload.size() < sizeof(nfgenmsg)) return;
  AttributeReader reader(payload.subspan(sizeof(nfgenmsg)));
  while (const auto attribute = reader.next()) take(attribute->type, attribute->value);
}
template <class Take>
void each_nested(ByteSpan nest, Take&& take) {
  AttributeReader reader(nest);
  while (const auto attribute = reader.next()) take(attribute->type, attribute->value);
}

Verdict decode_verdict(ByteSpan nest) {
  Verdict verdict;
  each_nested(nest, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_VERDICT_CHAIN) verdict.chain = read_text(value);
    if (type != NFTA_VERDICT_CODE) return;
    const auto code = static_cast<int>(number(value));
    for (const auto kind :
         {Verdict::Kind::kAccept, Verdict::Kind::kDrop, Verdict::Kind::kReturn, Verdict::Kind::kJump, Verdict::Kind::kGoto}) {
      if (verdict_code(kind) == code) verdict.kind = kind;
    }
  });
  return verdict;
}

Data decode_data(ByteSpan nest) {
  Data data;
  each_nested(nest, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_DATA_VALUE) data = padded(value);
    if (type == NFTA_DATA_VERDICT) data = decode_verdict(value);
  });
  return data;
}

std::pair<Bytes, Element> decode_element(ByteSpan nest) {
  std::pair<Bytes, Element> result;
  each_nested(nest, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_SET_ELEM_KEY) {
      auto key = decode_data(value);
      if (auto* bytes = std::get_if<Bytes>(&key)) result.first = std::move(*bytes);
    }
    if (type == NFTA_SET_ELEM_DATA) result.second.data = decode_data(value);
    if (type == NFTA_SET_ELEM_USERDATA) result.second.comment = read_comment(value);
  });
  return result;
}

void decode_hook(ByteSpan nest, Hook& hook) {
  each_nested(nest, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_HOOK_PRIORITY) hook.priority = static_cast<std::int32_t>(number(value));
    if (type != NFTA_HOOK_HOOKNUM) return;
    for (const auto point :
         {Hook::Point::kPrerouting, Hook::Point::kInput, Hook::Point::kForward, Hook::Point::kOutput, Hook::Point::kPostrouting}) {
      if (hook_number(point) == number(value)) hook.point = point;
    }
  });
}

/// Sets, counters and chains that an expression of this kind uses.
void append_names(std::string_view kind, ByteSpan parameters, std::vector<std::string>& names) {
  each_nested(parameters, [&](std::uint16_t type, ByteSpan value) {
    const bool is_name = (kind == "lookup" && type == NFTA_LOOKUP_SET) || (kind == "dynset" && type == NFTA_DYNSET_SET_NAME) ||
                         (kind == "objref" && type == NFTA_OBJREF_IMM_NAME);
    if (is_name) names.push_back(read_text(value));
    if (kind != "immediate" || type != NFTA_IMMEDIATE_DATA) return;
    const auto data = decode_data(value);
    const auto* verdict = std::get_if<Verdict>(&data);
    if (verdict != nullptr && !verdict->chain.empty()) names.push_back(verdict->chain);
  });
}

/// Of all expressions of a rule, in their order.
std::vector<std::string> names_in_rule(ByteSpan payload) {
  std::vector<std::string> names;
  each(payload, [&](std::uint16_t type, ByteSpan expressions) {
    if (type != NFTA_RULE_EXPRESSIONS) return;
    each_nested(expressions, [&](std::uint16_t /*element*/, ByteSpan expression) {
      std::string kind;
      ByteSpan parameters;
      each_nested(expression, [&](std::uint16_t part, ByteSpan value) {
        if (part == NFTA_EXPR_NAME) kind = read_text(value);
        if (part == NFTA_EXPR_DATA) parameters = value;
      });
      append_names(kind, parameters, names);
    });
  });
  return names;
}

}  // namespace

void decode_table(ByteSpan payload, Table& table) {
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_TABLE_FLAGS) table.owned = (number(value) & kTablePersist) != 0;
    if (type == NFTA_TABLE_FLAGS && (number(value) & NFT_TABLE_F_DORMANT) != 0) table.unknown = true;
    if (type == NFTA_TABLE_USERDATA) table.comment = read_comment(value);
  });
}

void decode_chain(ByteSpan payload, Table& table) {
  std::string owner, name, hook_type;
  Chain chain;
  bool anonymous = false, drops = false;
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_CHAIN_TABLE) owner = read_text(value);
    if (type == NFTA_CHAIN_FLAGS) anonymous = (number(value) & NFT_CHAIN_BINDING) != 0;
    if (type == NFTA_CHAIN_POLICY) drops = number(value) != NF_ACCEPT;
    if (type == NFTA_CHAIN_NAME) name = read_text(value);
    if (type == NFTA_CHAIN_USERDATA) chain.comment = read_comment(value);
    if (type == NFTA_CHAIN_TYPE) hook_type = read_text(value);
    if (type == NFTA_CHAIN_HOOK) decode_hook(value, chain.hook.emplace());
  });
  if (chain.hook) chain.hook->type = hook_type == "nat" ? Hook::Type::kNat : Hook::Type::kFilter;
  if (owner != table.name || anonymous) return;
  table.unknown = table.unknown || drops;
  table.chains[name] = std::move(chain);
}

void decode_set(ByteSpan payload, Table& table) {
  std::string owner, name;
  Set set;
  bool anonymous = false;
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_SET_TABLE) owner = read_text(value);
    if (type == NFTA_SET_NAME) name = read_text(value);
    if (type == NFTA_SET_FLAGS) {
      set.dynamic = (number(value) & NFT_SET_EVAL) != 0;
      anonymous = (number(value) & NFT_SET_ANONYMOUS) != 0;
    }
    if (type == NFTA_SET_TIMEOUT) set.timeout = std::chrono::seconds(read_be64(value).value_or(0) / 1000);
    if (type == NFTA_SET_KEY_TYPE) set.key = types_of(number(value)).value_or(std::vector<Type>{});
    if (type == NFTA_SET_DATA_TYPE) {
      set.verdicts = number(value) == kVerdictType;
      if (!set.verdicts) set.data = types_of(number(value)).value_or(std::vector<Type>{});
    }
    if (type == NFTA_SET_DESC) {
      each_nested(value, [&](std::uint16_t inner, ByteSpan size) {
        if (inner == NFTA_SET_DESC_SIZE) set.size = number(size);
      });
    }
    if (type == NFTA_SET_USERDATA) {
      set.comment = read_set_comment(value);
      set.data_ranges = read_data_ranges(value);
      set.slot_modulus = read_slot_modulus(value);
      set.port_protocol = read_port_protocol(value);
    }
  });
  if (owner == table.name && !anonymous) table.sets[name] = std::move(set);
}

void decode_elements(ByteSpan payload, Table& table) {
  std::string owner, name;
  ByteSpan list;
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_SET_ELEM_LIST_TABLE) owner = read_text(value);
    if (type == NFTA_SET_ELEM_LIST_SET) name = read_text(value);
    if (type == NFTA_SET_ELEM_LIST_ELEMENTS) list = value;
  });
  const auto set = table.sets.find(name);
  if (owner != table.name || set == table.sets.end() || set->second.holds_state()) return;
  each_nested(list, [&](std::uint16_t, ByteSpan value) { set->second.elements.insert(decode_element(value)); });
}

void decode_object(ByteSpan payload, Table& table, std::map<std::string, CounterValue>& values) {
  std::string owner, name, comment;
  std::uint32_t kind = 0;
  CounterValue counted;
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_OBJ_TABLE) owner = read_text(value);
    if (type == NFTA_OBJ_NAME) name = read_text(value);
    if (type == NFTA_OBJ_TYPE) kind = number(value);
    if (type == NFTA_OBJ_USERDATA) comment = read_comment(value);
    if (type == NFTA_OBJ_DATA) {
      each_nested(value, [&](std::uint16_t inner, ByteSpan count) {
        if (inner == NFTA_COUNTER_PACKETS) counted.packets = read_be64(count).value_or(0);
        if (inner == NFTA_COUNTER_BYTES) counted.bytes = read_be64(count).value_or(0);
      });
    }
  });
  if (owner != table.name) return;
  if (kind != NFT_OBJECT_COUNTER) {
    table.unknown = true;
    return;
  }
  values[name] = counted;
  table.counters[name] = {std::move(comment)};
}

void decode_flowtable(ByteSpan payload, Table& table) {
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_FLOWTABLE_TABLE && read_text(value) == table.name) table.unknown = true;
  });
}

void decode_rule(ByteSpan payload, Table& table) {
  std::string owner, chain_name;
  ByteSpan userdata;
  each(payload, [&](std::uint16_t type, ByteSpan value) {
    if (type == NFTA_RULE_TABLE) owner = read_text(value);
    if (type == NFTA_RULE_CHAIN) chain_name = read_text(value);
    if (type == NFTA_RULE_USERDATA) userdata = value;
  });
  const auto chain = table.chains.find(chain_name);
  if (owner != table.name || chain == table.chains.end()) return;
  auto rule = read_rule(userdata, names_in_rule(payload));
  chain->second.rules.push_back(rule ? std::move(*rule) : Rule{{}, "foreign"});
}

}  // namespace wsl4::netlink::nft
