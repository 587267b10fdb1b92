#include "netlink/nft/accept_rule.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_conntrack.h>

namespace wsl4::netlink::nft {
namespace {

struct Expression {
  std::string name;
  ByteSpan data;
};

/// The first attribute of that type, empty if there is none.
ByteSpan find(ByteSpan nest, std::uint16_t type) {
  AttributeReader reader(nest);
  while (const auto attribute = reader.next()) {
    if (attribute->type == type) return attribute->value;
  }
  return {};
}

bool is_match(const Expression& expression, const char* of) {
  return expression.name == "match" && read_text(find(expression.data, NFTA_MATCH_NAME)) == of;
}

/// Without counters and iptables' comments, which decide nothing.
std::vector<Expression> read(ByteSpan list) {
  std::vector<Expression> expressions;
  AttributeReader reader(list);
  while (const auto element = reader.next()) {
    Expression expression{read_text(find(element->value, NFTA_EXPR_NAME)), find(element->value, NFTA_EXPR_DATA)};
    if (expression.name != "counter" && !is_match(expression, "comment")) expressions.push_back(std::move(expression));
  }
  return expressions;
}

bool is_accept(const Expression& expression) {
  const auto verdict = find(find(expression.data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
  return expression.name == "immediate" && read_be32(find(verdict, NFTA_VERDICT_CODE)) == std::uint32_t{NF_ACCEPT};
}

bool loads_status(const Expression& expression) {
  return expression.name == "ct" && read_be32(find(expression.data, NFTA_CT_KEY)) == std::uint32_t{NFT_CT_STATUS};
}

bool keeps_dnat(const Expression& expression) {
  const auto mask = find(find(expression.data, NFTA_BITWISE_MASK), NFTA_DATA_VALUE);
  std::uint32_t bits = 0;  // host order
  if (expression.name != "bitwise" || mask.size() != sizeof bits) return false;
  std::memcpy(&bits, mask.data(), sizeof bits);
  return (bits & IPS_DST_NAT) != 0;
}

bool is_not_zero(const Expression& expression) {
  const auto value = find(find(expression.data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
  return expression.name == "cmp" && read_be32(find(expression.data, NFTA_CMP_OP)) == std::uint32_t{NFT_CMP_NEQ} &&
         std::ranges::all_of(value, [](std::uint8_t byte) { return byte == 0; });
}

/// The structure of iptables' match of revision 3, which every kernel in question has.
bool is_state_dnat(const Expression& expression) {
  const auto value = find(expression.data, NFTA_MATCH_INFO);
  xt_conntrack_mtinfo3 info{};
  if (!is_match(expression, "conntrack") || read_be32(find(expression.data, NFTA_MATCH_REV)) != 3U) return false;
  if (value.size() < sizeof info) return false;
  std::memcpy(&info, value.data(), sizeof info);
  return info.match_flags == XT_CONNTRACK_STATE && info.invert_flags == 0 && (info.state_mask & XT_CONNTRACK_STATE_DNAT) != 0;
}

}  // namespace

bool accepts_translated(ByteSpan expressions) {
  const auto rule = read(expressions);
  if (rule.size() == 2) return is_state_dnat(rule[0]) && is_accept(rule[1]);
  return rule.size() == 4 && loads_status(rule[0]) && keeps_dnat(rule[1]) && is_not_zero(rule[2]) && is_accept(rule[3]);
}

}  // namespace wsl4::netlink::nft
