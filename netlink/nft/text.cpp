#include "netlink/nft/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <utility>

#include "netlink/nft/layout.h"

namespace wsl4::netlink::nft {

namespace {

std::string_view field_text(Field field) {
  switch (field) {
    case Field::kIpSaddr:
      return "ip saddr";
    case Field::kIpDaddr:
      return "ip daddr";
    case Field::kIp6Saddr:
      return "ip6 saddr";
    case Field::kIp6Daddr:
      return "ip6 daddr";
    case Field::kCtOrigIpDaddr:
      return "ct original ip daddr";
    case Field::kCtOrigIp6Daddr:
      return "ct original ip6 daddr";
    case Field::kCtOrigProtoDst:
      return "ct original proto-dst";
    case Field::kL4Proto:
      return "meta l4proto";
    case Field::kThSport:
      return "th sport";
    case Field::kThDport:
      return "th dport";
    case Field::kIp6SaddrNet:
      return "ip6 saddr and ffff:ffff:ffff:ffff::";
    case Field::kMark:
      return "meta mark";
  }
  return "";
}

std::string_view type_text(Type type) {
  switch (type) {
    case Type::kIpv4Addr:
      return "ipv4_addr";
    case Type::kIpv6Addr:
      return "ipv6_addr";
    case Type::kInetProto:
      return "inet_proto";
    case Type::kInetService:
      return "inet_service";
    case Type::kMark:
      return "mark";
    case Type::kSlot:
      return "numgen";
  }
  return "";
}

template <class List, class Print>
std::string join(const List& list, std::string_view separator, Print print) {
  std::string text;
  for (const auto& item : list) {
    if (!text.empty()) text += separator;
    text += print(item);
  }
  return text;
}

std::string concat_text(const Concat& key) { return join(key, " . ", field_text); }

std::string_view family_text(Family family) { return family == Family::kIpv4 ? "ip" : "ip6"; }

/// nft's strings know no escapes.
std::string quote(std::string text) {
  std::replace(text.begin(), text.end(), '"', '\'');
  return '"' + text + '"';
}

std::string selector_text(const Selector& selector, Family family) {
  switch (selector.kind) {
    case Selector::Kind::kIncremental:
      return fmt::format("numgen inc mod {}", selector.modulus);
    case Selector::Kind::kRandom:
      return fmt::format("numgen random mod {}", selector.modulus);
    case Selector::Kind::kHashSaddr:
      return fmt::format("jhash {} saddr mod {} seed 0x{:x}", family_text(family), selector.modulus, selector.seed);
  }
  return "";
}

std::string state_text(std::uint32_t bits) {
  constexpr std::array<std::pair<CtState, std::string_view>, 5> kNames{{{CtState::kInvalid, "invalid"},
                                                                        {CtState::kEstablished, "established"},
                                                                        {CtState::kRelated, "related"},
                                                                        {CtState::kNew, "new"},
                                                                        {CtState::kUntracked, "untracked"}}};
  std::string text;
  for (const auto& [state, name] : kNames) {
    if ((bits & static_cast<std::uint32_t>(state)) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

std::string verdict_text(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kAccept:
      return "accept";
    case Verdict::Kind::kDrop:
      return "drop";
    case Verdict::Kind::kReturn:
      return "return";
    case Verdict::Kind::kJump:
      return "jump " + verdict.chain;
    case Verdict::Kind::kGoto:
      return "goto " + verdict.chain;
  }
  return "";
}

struct StatementText {
  std::string operator()(const MatchL4Proto& s) const { return fmt::format("meta l4proto {}", to_string(s.protocol)); }
  std::string operator()(const MatchCtState& s) const { return "ct state " + state_text(s.bits); }
  std::string operator()(const MatchCtStatusDnat&) const { return "ct status dnat"; }
  std::string operator()(const MatchCtMarkAny& s) const { return fmt::format("ct mark & 0x{:08x} != 0", s.mask); }
  std::string operator()(const MatchTcpFlagsAny& s) const { return fmt::format("tcp flags & 0x{:02x} != 0", s.bits); }
  std::string operator()(const MatchInSet& s) const { return fmt::format("{} @{}", concat_text(s.key), s.set); }
  std::string operator()(const LookupVerdict& s) const { return fmt::format("{} vmap @{}", concat_text(s.key), s.map); }
  std::string operator()(const SetCtMark& s) const {
    return fmt::format("ct mark set ct mark and 0x{:08x} xor 0x{:08x}", s.keep, s.value);
  }
  std::string operator()(const OrCtMark& s) const { return fmt::format("ct mark set ct mark or 0x{:08x}", s.bits); }
  std::string operator()(const SetCtEvents& s) const { return fmt::format("ct event set 0x{:x}", s.mask); }
  std::string operator()(const DnatFromMap& s) const {
    return fmt::format("dnat {} to {} map @{}", family_text(s.family), selector_text(s.selector, s.family), s.map);
  }
  std::string operator()(const SnatFromMap& s) const {
    auto text =
        fmt::format("snat {} to {} map @{}:{}", family_text(s.family), selector_text(s.selector, s.family), s.map, s.port_min);
    return s.port_max == s.port_min ? text : text + fmt::format("-{}", s.port_max);
  }
  std::string operator()(const SnatFromBlocks& s) const {
    return fmt::format("snat {} to {} map @{}", family_text(s.family), selector_text(s.selector, s.family), s.map);
  }
  std::string operator()(const LimitClientConnections& s) const {
    return fmt::format("add @{} {{ {} ct count over {} }}", s.set, field_text(client_field(s.family)), s.count);
  }
  std::string operator()(const LimitClientRate& s) const {
    return fmt::format("update @{} {{ {} limit rate over {}/second burst {} packets }}", s.set, field_text(client_field(s.family)),
                       s.per_second, s.burst);
  }
  std::string operator()(const CountNamed& s) const { return "counter name " + quote(s.counter); }
  std::string operator()(const Reject& s) const {
    return s.tcp_reset ? "reject with tcp reset" : "reject with icmpx port-unreachable";
  }
  std::string operator()(const Verdict& s) const { return verdict_text(s); }
};

std::string field_value(Type type, std::span<const std::uint8_t> bytes) {
  switch (type) {
    case Type::kIpv4Addr:
    case Type::kIpv6Addr:
      return IpAddress::from_bytes(bytes).value_or(IpAddress()).to_string();
    case Type::kInetProto:
      return std::to_string(bytes[0]);
    case Type::kInetService:
      return std::to_string(bytes[0] << 8U | bytes[1]);
    case Type::kMark:
    case Type::kSlot:
      break;
  }
  std::array<std::uint8_t, 4> raw{};
  std::copy_n(bytes.begin(), raw.size(), raw.begin());
  return std::to_string(std::bit_cast<std::uint32_t>(raw));
}

/// Bytes that do not have the types' length cannot be named and are left out.
std::string value_text(const std::vector<Type>& types, const Bytes& bytes) {
  if (bytes.size() != padded_size(types)) return "";
  std::size_t offset = 0;
  return join(types, " . ", [&](Type type) {
    const auto part = std::span(bytes).subspan(offset, padded_size(type));
    offset += part.size();
    return field_value(type, part);
  });
}

/// "198.18.1.1 . 128-255": a field's range where its ends differ.
std::string range_text(const std::vector<Type>& types, const Bytes& bytes) {
  const auto half = padded_size(types);
  if (bytes.size() != 2 * half) return "";
  std::size_t offset = 0;
  return join(types, " . ", [&](Type type) {
    const auto size = padded_size(type);
    const auto first = field_value(type, std::span(bytes).subspan(offset, size));
    const auto last = field_value(type, std::span(bytes).subspan(half + offset, size));
    offset += size;
    return first == last ? first : first + '-' + last;
  });
}

std::string data_text(const Set& spec, const Data& data) {
  if (const auto* verdict = std::get_if<Verdict>(&data)) return " : " + verdict_text(*verdict);
  const auto* bytes = std::get_if<Bytes>(&data);
  if (bytes == nullptr) return "";
  return " : " + (spec.data_ranges ? range_text(spec.data, *bytes) : value_text(spec.data, *bytes));
}

std::string element_text(const Set& spec, const Bytes& key, const Element& element, bool with_data) {
  auto text = value_text(spec.key, key);
  if (!with_data) return text;
  if (!element.comment.empty()) text += " comment " + quote(element.comment);
  return text + data_text(spec, element.data);
}

std::string elements_text(const Set& spec, const ElementList& elements, bool with_data) {
  return join(elements, ", ", [&](const auto& item) { return element_text(spec, item.first, item.second, with_data); });
}

/// A field of the data's type, for `typeof`.
std::string typeof_text(const Set& spec, Type type) {
  const auto side = spec.data_ranges ? 's' : 'd';
  switch (type) {
    case Type::kIpv4Addr:
      return fmt::format("ip {}addr", side);
    case Type::kIpv6Addr:
      return fmt::format("ip6 {}addr", side);
    case Type::kInetService:
      return fmt::format("{} {}port", to_string(spec.port_protocol), side);
    default:
      return std::string(type_text(type));
  }
}

std::string set_block(const Set& spec) {
  const bool by_slot = spec.key == std::vector{Type::kSlot};
  std::string text =
      by_slot ? fmt::format("typeof numgen inc mod {}", spec.slot_modulus) : "type " + join(spec.key, " . ", type_text);
  if (spec.verdicts) text += " : verdict";
  const auto data_text = [&](Type type) { return by_slot ? typeof_text(spec, type) : std::string(type_text(type)); };
  if (!spec.data.empty()) text += (spec.data_ranges ? " : interval " : " : ") + join(spec.data, " . ", data_text);
  text += "; ";
  if (spec.size != 0) text += fmt::format("size {}; ", spec.size);
  if (spec.dynamic) text += "flags dynamic; ";
  if (spec.timeout.count() != 0) text += fmt::format("timeout {}s; ", spec.timeout.count());
  if (!spec.comment.empty()) text += "comment " + quote(spec.comment) + "; ";
  return text;
}

std::string hook_text(const Hook& hook) {
  constexpr std::array<std::string_view, 5> kPoints{"prerouting", "input", "forward", "output", "postrouting"};
  return fmt::format("type {} hook {} priority {}; policy accept; ", hook.type == Hook::Type::kNat ? "nat" : "filter",
                     kPoints.at(static_cast<std::size_t>(hook.point)), hook.priority);
}

std::string comment_block(const std::string& comment) { return comment.empty() ? "" : "comment " + quote(comment) + "; "; }

std::string braces(const std::string& block) { return block.empty() ? "" : " { " + block + "}"; }

bool is_map(const Set& spec) { return spec.verdicts || !spec.data.empty(); }

struct OperationText {
  const std::string& table;

  std::string place(std::string_view verb, std::string_view kind, const std::string& name) const {
    return fmt::format("{} {} inet {} {}", verb, kind, table, name);
  }
  std::string operator()(const AddTable& o) const { return "add table inet " + table + braces(comment_block(o.comment)); }
  std::string operator()(const DeleteTable&) const { return "delete table inet " + table; }
  std::string operator()(const AddChain& o) const {
    return place("add", "chain", o.name) + braces((o.hook ? hook_text(*o.hook) : "") + comment_block(o.comment));
  }
  std::string operator()(const FlushChain& o) const { return place("flush", "chain", o.name); }
  std::string operator()(const DeleteChain& o) const { return place("delete", "chain", o.name); }
  std::string operator()(const AddRule& o) const { return place("add", "rule", o.chain) + " " + to_text(o.rule); }
  std::string operator()(const AddSet& o) const {
    return place("add", is_map(o.spec) ? "map" : "set", o.name) + braces(set_block(o.spec));
  }
  std::string operator()(const DeleteSet& o) const { return place("delete", "set", o.name); }
  std::string operator()(const FlushSet& o) const { return place("flush", "set", o.name); }
  std::string operator()(const AddElements& o) const {
    return fmt::format("{} {{ {} }}", place("add", "element", o.set), elements_text(o.spec, o.elements, true));
  }
  std::string operator()(const DeleteElements& o) const {
    return fmt::format("{} {{ {} }}", place("delete", "element", o.set), elements_text(o.spec, o.elements, false));
  }
  std::string operator()(const AddCounter& o) const { return place("add", "counter", o.name) + braces(comment_block(o.comment)); }
  std::string operator()(const DeleteCounter& o) const { return place("delete", "counter", o.name); }
};

}  // namespace

std::string to_text(const Rule& rule) {
  auto text = join(rule.statements, " ", [](const Statement& statement) { return std::visit(StatementText{}, statement); });
  if (!rule.comment.empty()) text += " comment " + quote(rule.comment);
  return text;
}

std::string to_text(const std::string& table, const Operation& operation) { return std::visit(OperationText{table}, operation); }

}  // namespace wsl4::netlink::nft
