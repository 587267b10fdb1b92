#include "netlink/nft/expressions.h"

#include <arpa/inet.h>

#include <array>
#include <optional>
#include <string_view>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

namespace wsl4::netlink::nft {

namespace {

// Offsets of RFC 791, RFC 8200, RFC 9293 and RFC 768 headers.
constexpr std::uint32_t kIpSaddrOffset = 12, kIpDaddrOffset = 16, kIp6SaddrOffset = 8, kIp6DaddrOffset = 24;
constexpr std::uint32_t kSportOffset = 0, kDportOffset = 2, kTcpFlagsOffset = 13;
constexpr std::uint32_t kIpv4Size = 4, kIpv6Size = 16, kPortSize = 2, kWord = 4;

std::uint8_t to_nfproto(Family family) { return family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6; }

std::optional<Family> family_of(Field field) {
  switch (field) {
    case Field::kIpSaddr:
    case Field::kIpDaddr:
    case Field::kCtOrigIpDaddr:
      return Family::kIpv4;
    case Field::kIp6Saddr:
    case Field::kIp6Daddr:
    case Field::kIp6SaddrNet:
    case Field::kCtOrigIp6Daddr:
      return Family::kIpv6;
    default:
      return std::nullopt;
  }
}

/// Appends expressions to one rule. Register 1 is the working one; wider keys begin there.
class ExpressionAppender {
 public:
  explicit ExpressionAppender(nftnl_rule& rule) : rule_(rule) {}

  void operator()(const MatchL4Proto& match) {
    meta(NFT_META_L4PROTO, NFT_REG_1);
    const auto number = static_cast<std::uint8_t>(match.protocol);
    compare(NFT_CMP_EQ, &number, sizeof number);
  }
  void operator()(const MatchCtState& match) { match_any_ct_bit(NFT_CT_STATE, match.bits); }
  void operator()(const MatchCtStatusDnat&) { match_any_ct_bit(NFT_CT_STATUS, IPS_DST_NAT); }
  void operator()(const MatchCtMarkAny& match) { match_any_ct_bit(NFT_CT_MARK, match.mask); }
  void operator()(const MatchTcpFlagsAny& match) {
    payload(NFT_PAYLOAD_TRANSPORT_HEADER, kTcpFlagsOffset, sizeof match.bits, NFT_REG_1);
    match_any_bit(match.bits, sizeof match.bits);
  }
  void operator()(const MatchInSet& match) {
    load(match.key);
    look_up(match.set, std::nullopt);
  }
  void operator()(const LookupVerdict& lookup) {
    load(lookup.key);
    look_up(lookup.map, NFT_REG_VERDICT);
  }
  void operator()(const SetCtMark& set) { change_mark(set.keep, set.value); }
  void operator()(const OrCtMark& change) { change_mark(~change.bits, change.bits); }
  void operator()(const SetCtEvents& set) {
    immediate(NFT_REG_1, &set.mask, sizeof set.mask);
    set_ct(NFT_CT_EVENTMASK);
  }
  void operator()(const DnatFromMap& nat) {
    select(nat.selector, nat.family);
    look_up(nat.map, NFT_REG_1);
    auto& expression = add_nat(NFT_NAT_DNAT, nat.family);
    // The map's data is address . port: the port lies behind the address.
    put(expression, NFTNL_EXPR_NAT_REG_PROTO_MIN,
        nat.family == Family::kIpv4 ? std::uint32_t{NFT_REG32_01} : std::uint32_t{NFT_REG_2});
  }
  void operator()(const SnatFromMap& nat) {
    select(nat.selector, nat.family);
    look_up(nat.map, NFT_REG_1);
    const std::uint16_t first = htons(nat.port_min), last = htons(nat.port_max);
    immediate(NFT_REG_2, &first, sizeof first);
    immediate(NFT_REG_3, &last, sizeof last);
    auto& expression = add_nat(NFT_NAT_SNAT, nat.family);
    put(expression, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
    put(expression, NFTNL_EXPR_NAT_REG_PROTO_MAX, NFT_REG_3);
    put(expression, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
  }
  void operator()(const SnatFromBlocks& nat) {
    select(nat.selector, nat.family);
    look_up(nat.map, NFT_REG_1);
    auto& expression = add_nat(NFT_NAT_SNAT, nat.family);
    // The map's data is address . port . address . port.
    const std::uint32_t port = NFT_REG32_00 + (nat.family == Family::kIpv4 ? kIpv4Size : kIpv6Size) / kWord;
    put(expression, NFTNL_EXPR_NAT_REG_PROTO_MIN, port);
    put(expression, NFTNL_EXPR_NAT_REG_ADDR_MAX, port + 1);
    put(expression, NFTNL_EXPR_NAT_REG_PROTO_MAX, port + 1 + port - NFT_REG32_00);
  }
  void operator()(const LimitClientConnections& limit) {
    auto& counter = new_expression("connlimit");
    put(counter, NFTNL_EXPR_CONNLIMIT_COUNT, limit.count);
    put(counter, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
    keep_per_client(NFT_DYNSET_OP_ADD, limit.family, limit.set, counter);
  }
  void operator()(const LimitClientRate& limit) {
    auto& bucket = new_expression("limit");
    nftnl_expr_set_u64(&bucket, NFTNL_EXPR_LIMIT_RATE, limit.per_second);
    nftnl_expr_set_u64(&bucket, NFTNL_EXPR_LIMIT_UNIT, 1);
    put(bucket, NFTNL_EXPR_LIMIT_BURST, limit.burst);
    put(bucket, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    put(bucket, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
    keep_per_client(NFT_DYNSET_OP_UPDATE, limit.family, limit.set, bucket);
  }
  void operator()(const CountNamed& count) {
    auto& expression = add("objref");
    put(expression, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
    nftnl_expr_set_str(&expression, NFTNL_EXPR_OBJREF_IMM_NAME, count.counter.c_str());
  }
  void operator()(const Reject& reject) {
    auto& expression = add("reject");
    put(expression, NFTNL_EXPR_REJECT_TYPE, reject.tcp_reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
    nftnl_expr_set_u8(&expression, NFTNL_EXPR_REJECT_CODE,
                      reject.tcp_reset ? std::uint8_t{0} : std::uint8_t{NFT_REJECT_ICMPX_PORT_UNREACH});
  }
  void operator()(const Verdict& verdict) {
    auto& expression = add("immediate");
    put(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    put(expression, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(verdict_code(verdict.kind)));
    if (!verdict.chain.empty()) nftnl_expr_set_str(&expression, NFTNL_EXPR_IMM_CHAIN, verdict.chain.c_str());
  }

 private:
  static nftnl_expr& new_expression(const char* name) { return *nftnl_expr_alloc(name); }
  /// Owned by the rule.
  nftnl_expr& add(const char* name) {
    auto& expression = new_expression(name);
    nftnl_rule_add_expr(&rule_, &expression);
    return expression;
  }
  static void put(nftnl_expr& expression, std::uint16_t attribute, std::uint32_t value) {
    nftnl_expr_set_u32(&expression, attribute, value);
  }

  nftnl_expr& add_nat(std::uint32_t type, Family family) {
    auto& expression = add("nat");
    put(expression, NFTNL_EXPR_NAT_TYPE, type);
    put(expression, NFTNL_EXPR_NAT_FAMILY, to_nfproto(family));
    put(expression, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    return expression;
  }
  void meta(std::uint32_t key, std::uint32_t to) {
    auto& expression = add("meta");
    put(expression, NFTNL_EXPR_META_KEY, key);
    put(expression, NFTNL_EXPR_META_DREG, to);
  }
  void compare(std::uint32_t operation, const void* data, std::uint32_t size) {
    auto& expression = add("cmp");
    put(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    put(expression, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(&expression, NFTNL_EXPR_CMP_DATA, data, size);
  }
  void payload(std::uint32_t base, std::uint32_t offset, std::uint32_t size, std::uint32_t to) {
    auto& expression = add("payload");
    put(expression, NFTNL_EXPR_PAYLOAD_BASE, base);
    put(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    put(expression, NFTNL_EXPR_PAYLOAD_LEN, size);
    put(expression, NFTNL_EXPR_PAYLOAD_DREG, to);
  }
  nftnl_expr& get_ct(std::uint32_t key, std::uint32_t to) {
    auto& expression = add("ct");
    put(expression, NFTNL_EXPR_CT_KEY, key);
    put(expression, NFTNL_EXPR_CT_DREG, to);
    return expression;
  }
  void get_original_ct(std::uint32_t key, std::uint32_t to) {
    nftnl_expr_set_u8(&get_ct(key, to), NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
  }
  void set_ct(std::uint32_t key) {
    auto& expression = add("ct");
    put(expression, NFTNL_EXPR_CT_KEY, key);
    put(expression, NFTNL_EXPR_CT_SREG, NFT_REG_1);
  }
  /// Register = (register & keep) ^ flip; `keep` and `flip` point to `size` bytes.
  void bitwise(std::uint32_t at, const void* keep, const void* flip, std::uint32_t size) {
    auto& expression = add("bitwise");
    put(expression, NFTNL_EXPR_BITWISE_SREG, at);
    put(expression, NFTNL_EXPR_BITWISE_DREG, at);
    put(expression, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
    put(expression, NFTNL_EXPR_BITWISE_LEN, size);
    nftnl_expr_set(&expression, NFTNL_EXPR_BITWISE_MASK, keep, size);
    nftnl_expr_set(&expression, NFTNL_EXPR_BITWISE_XOR, flip, size);
  }
  void match_any_bit(std::uint32_t bits, std::uint32_t size) {
    const std::uint32_t zero = 0;
    bitwise(NFT_REG_1, &bits, &zero, size);
    compare(NFT_CMP_NEQ, &zero, size);
  }
  void match_any_ct_bit(std::uint32_t key, std::uint32_t bits) {
    get_ct(key, NFT_REG_1);
    match_any_bit(bits, kWord);
  }
  void change_mark(std::uint32_t keep, std::uint32_t flip) {
    get_ct(NFT_CT_MARK, NFT_REG_1);
    bitwise(NFT_REG_1, &keep, &flip, kWord);
    set_ct(NFT_CT_MARK);
  }
  void immediate(std::uint32_t to, const void* data, std::uint32_t size) {
    auto& expression = add("immediate");
    put(expression, NFTNL_EXPR_IMM_DREG, to);
    nftnl_expr_set(&expression, NFTNL_EXPR_IMM_DATA, data, size);
  }
  void look_up(const std::string& set, std::optional<std::uint32_t> to) {
    auto& expression = add("lookup");
    put(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(&expression, NFTNL_EXPR_LOOKUP_SET, set.c_str());
    if (to) put(expression, NFTNL_EXPR_LOOKUP_DREG, *to);
  }
  /// The client's element, made if it is not there, evaluates its own copy of `expression`.
  void keep_per_client(std::uint32_t operation, Family family, const std::string& set, nftnl_expr& expression) {
    load({client_field(family)});
    auto& dynset = add("dynset");
    put(dynset, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
    put(dynset, NFTNL_EXPR_DYNSET_OP, operation);
    nftnl_expr_set_str(&dynset, NFTNL_EXPR_DYNSET_SET_NAME, set.c_str());
    nftnl_expr_set(&dynset, NFTNL_EXPR_DYNSET_EXPR, &expression, 0);
  }
  /// An inet rule that reads an address applies to that address's family only; once per rule is enough.
  void depend_on(Family family) {
    if (family_ == family) return;
    family_ = family;
    meta(NFT_META_NFPROTO, NFT_REG_1);
    const auto number = to_nfproto(family);
    compare(NFT_CMP_EQ, &number, sizeof number);
  }
  void load(const Concat& key) {
    for (const auto field : key) {
      if (const auto family = family_of(field)) depend_on(*family);
    }
    std::uint32_t to = NFT_REG32_00;
    for (const auto field : key) {
      load(field, to);
      const bool wide = family_of(field) == Family::kIpv6;
      to += wide ? kIpv6Size / kWord : 1;
    }
  }
  void load(Field field, std::uint32_t to) {
    switch (field) {
      case Field::kIpSaddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIpSaddrOffset, kIpv4Size, to);
      case Field::kIpDaddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIpDaddrOffset, kIpv4Size, to);
      case Field::kIp6Saddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIp6SaddrOffset, kIpv6Size, to);
      case Field::kIp6Daddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIp6DaddrOffset, kIpv6Size, to);
      case Field::kIp6SaddrNet: {
        load(Field::kIp6Saddr, to);
        constexpr std::array<std::uint32_t, 4> kFirstHalf{~0U, ~0U, 0, 0}, kNone{};
        return bitwise(to, kFirstHalf.data(), kNone.data(), kIpv6Size);
      }
      case Field::kCtOrigIpDaddr:
        return get_original_ct(NFT_CT_DST_IP, to);
      case Field::kCtOrigIp6Daddr:
        return get_original_ct(NFT_CT_DST_IP6, to);
      case Field::kCtOrigProtoDst:
        return get_original_ct(NFT_CT_PROTO_DST, to);
      case Field::kL4Proto:
        return meta(NFT_META_L4PROTO, to);
      case Field::kMark:
        return meta(NFT_META_MARK, to);
      case Field::kThSport:
        return payload(NFT_PAYLOAD_TRANSPORT_HEADER, kSportOffset, kPortSize, to);
      case Field::kThDport:
        return payload(NFT_PAYLOAD_TRANSPORT_HEADER, kDportOffset, kPortSize, to);
    }
  }
  /// The slot's number into register 1.
  void select(const Selector& selector, Family family) {
    if (selector.kind == Selector::Kind::kHashSaddr) return hash_saddr(selector, family);
    auto& expression = add("numgen");
    put(expression, NFTNL_EXPR_NG_DREG, NFT_REG_1);
    put(expression, NFTNL_EXPR_NG_TYPE, selector.kind == Selector::Kind::kRandom ? NFT_NG_RANDOM : NFT_NG_INCREMENTAL);
    put(expression, NFTNL_EXPR_NG_MODULUS, selector.modulus);
  }
  void hash_saddr(const Selector& selector, Family family) {
    depend_on(family);
    const auto size = family == Family::kIpv4 ? kIpv4Size : kIpv6Size;
    load(family == Family::kIpv4 ? Field::kIpSaddr : Field::kIp6Saddr, NFT_REG_2);
    auto& expression = add("hash");
    put(expression, NFTNL_EXPR_HASH_SREG, NFT_REG_2);
    put(expression, NFTNL_EXPR_HASH_DREG, NFT_REG_1);
    put(expression, NFTNL_EXPR_HASH_LEN, size);
    put(expression, NFTNL_EXPR_HASH_MODULUS, selector.modulus);
    put(expression, NFTNL_EXPR_HASH_SEED, selector.seed);
    put(expression, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
  }

  nftnl_rule& rule_;
  std::optional<Family> family_;
};

}  // namespace

int verdict_code(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::kAccept:
      return NF_ACCEPT;
    case Verdict::Kind::kDrop:
      return NF_DROP;
    case Verdict::Kind::kReturn:
      return NFT_RETURN;
    case Verdict::Kind::kJump:
      return NFT_JUMP;
    case Verdict::Kind::kGoto:
      return NFT_GOTO;
  }
  return NF_DROP;
}

void FreeRule::operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }

void add_expressions(nftnl_rule& rule, const std::vector<Statement>& statements) {
  ExpressionAppender appender(rule);
  for (const auto& statement : statements) std::visit(appender, statement);
}

}  // namespace wsl4::netlink::nft
