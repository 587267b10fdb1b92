// A rule's statements in its userdata. Names are not repeated there (the kernel's expressions have them, and they are long);
// everything else is: one tag byte per statement, then its fields, in host order, for the same machine reads them.
#include <libnftnl/udata.h>

#include <cstring>
#include <type_traits>

#include "netlink/nft/tlv.h"
#include "netlink/nft/userdata.h"

namespace wsl4::netlink::nft {

namespace {

/// Private: nft passes over types that it does not know.
constexpr std::uint8_t kStatements = 0x77;

class Packer {
 public:
  template <class Value>
  Packer& add(Value value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    std::array<std::uint8_t, sizeof value> raw{};
    std::memcpy(raw.data(), &value, sizeof value);
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    return *this;
  }
  Packer& add(const Concat& key) {
    add(static_cast<std::uint8_t>(key.size()));
    for (const auto field : key) add(field);
    return *this;
  }
  Packer& add(const Selector& selector) { return add(selector.kind).add(selector.modulus).add(selector.seed); }
  Packer& add(const std::string&) { return *this; }  // a name: not kept

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// Reads what a Packer wrote; after the first thing that does not fit, everything reads as zero and `good` is false.
class Unpacker {
 public:
  Unpacker(ByteSpan bytes, const std::vector<std::string>& names) : rest_(bytes), name_(names.begin()), names_end_(names.end()) {}

  template <class Value>
  Unpacker& add(Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    if (rest_.size() < sizeof value) return fail();
    if constexpr (std::is_same_v<Value, bool>) {
      value = rest_[0] != 0;  // any other bit pattern is no bool
    } else {
      std::memcpy(&value, rest_.data(), sizeof value);
    }
    rest_ = rest_.subspan(sizeof value);
    return *this;
  }
  Unpacker& add(Concat& key) {
    std::uint8_t size = 0;
    add(size);
    if (size > rest_.size()) return fail();
    key.resize(size);
    for (auto& field : key) add(field, Field::kMark);
    return *this;
  }
  Unpacker& add(Selector& selector) {
    return add(selector.kind, Selector::Kind::kHashSaddr).add(selector.modulus).add(selector.seed);
  }
  Unpacker& add(std::string& name) {
    if (name_ == names_end_) return fail();
    name = *name_++;
    return *this;
  }
  /// An enumerator up to `last`.
  template <class Enum>
  Unpacker& add(Enum& value, Enum last) {
    std::uint8_t raw = 0;
    add(raw);
    if (raw > static_cast<std::uint8_t>(last)) return fail();
    value = static_cast<Enum>(raw);
    return *this;
  }
  Unpacker& add(Protocol& protocol) {
    std::uint8_t raw = 0;
    add(raw);
    protocol = static_cast<Protocol>(raw);
    return protocol == Protocol::kTcp || protocol == Protocol::kUdp ? *this : fail();
  }
  Unpacker& add(Family& family) { return add(family, Family::kIpv6); }

  [[nodiscard]] bool more() const { return !rest_.empty(); }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool complete() const { return good_ && rest_.empty() && name_ == names_end_; }

 private:
  Unpacker& fail() {
    good_ = false;
    rest_ = {};
    return *this;
  }

  ByteSpan rest_;
  std::vector<std::string>::const_iterator name_, names_end_;
  bool good_ = true;
};

// One list of fields per statement, for both directions.
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, MatchL4Proto>
void fields(Archive& a, S& s) { a.add(s.protocol); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, MatchCtState>
void fields(Archive& a, S& s) { a.add(s.bits); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, MatchCtStatusDnat>
void fields(Archive&, S&) {}
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, MatchCtMarkAny>
void fields(Archive& a, S& s) { a.add(s.mask); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, MatchTcpFlagsAny>
void fields(Archive& a, S& s) { a.add(s.bits); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, MatchInSet>
void fields(Archive& a, S& s) { a.add(s.key).add(s.set); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, LookupVerdict>
void fields(Archive& a, S& s) { a.add(s.key).add(s.map); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, SetCtMark>
void fields(Archive& a, S& s) { a.add(s.keep).add(s.value); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, OrCtMark>
void fields(Archive& a, S& s) { a.add(s.bits); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, SetCtEvents>
void fields(Archive& a, S& s) { a.add(s.mask); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, DnatFromMap>
void fields(Archive& a, S& s) { a.add(s.family).add(s.selector).add(s.map); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, SnatFromMap>
void fields(Archive& a, S& s) { a.add(s.family).add(s.selector).add(s.map).add(s.port_min).add(s.port_max); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, CountNamed>
void fields(Archive& a, S& s) { a.add(s.counter); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, Reject>
void fields(Archive& a, S& s) { a.add(s.tcp_reset); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, SnatFromBlocks>
void fields(Archive& a, S& s) { a.add(s.family).add(s.selector).add(s.map); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, LimitClientConnections>
void fields(Archive& a, S& s) { a.add(s.family).add(s.set).add(s.count); }
template <class Archive, class S>
requires std::is_same_v<std::remove_const_t<S>, LimitClientRate>
void fields(Archive& a, S& s) { a.add(s.family).add(s.set).add(s.per_second).add(s.burst); }

bool names_chain(Verdict::Kind kind) { return kind == Verdict::Kind::kJump || kind == Verdict::Kind::kGoto; }

void fields(Packer& packer, const Verdict& verdict) { packer.add(verdict.kind); }
void fields(Unpacker& unpacker, Verdict& verdict) {
  unpacker.add(verdict.kind, Verdict::Kind::kGoto);
  if (names_chain(verdict.kind)) unpacker.add(verdict.chain);
}

/// The statement of the variant's alternative number `tag`, with its fields still unset.
template <std::size_t kIndex = 0>
std::optional<Statement> statement_of(std::size_t tag) {
  if constexpr (kIndex == std::variant_size_v<Statement>) {
    return std::nullopt;
  } else {
    return tag == kIndex ? std::optional<Statement>(std::in_place, std::in_place_index<kIndex>) : statement_of<kIndex + 1>(tag);
  }
}

}  // namespace

Bytes rule_userdata(const Rule& rule) {
  Packer packer;
  for (const auto& statement : rule.statements) {
    packer.add(static_cast<std::uint8_t>(statement.index()));
    std::visit([&](const auto& s) { fields(packer, s); }, statement);
  }
  auto bytes = comment_userdata(rule.comment);
  const auto statements = TlvWriter().put(kStatements, packer.bytes()).take();
  bytes.insert(bytes.end(), statements.begin(), statements.end());
  return bytes;
}

std::optional<Rule> read_rule(ByteSpan userdata, const std::vector<std::string>& names) {
  const auto packed = find_tlv(userdata, kStatements);
  if (!packed) return std::nullopt;
  Rule rule;
  rule.comment = read_comment(userdata);
  Unpacker unpacker(*packed, names);
  while (unpacker.more()) {
    std::uint8_t tag = 0;
    unpacker.add(tag);
    auto statement = statement_of(tag);
    if (!statement) return std::nullopt;
    std::visit([&](auto& s) { fields(unpacker, s); }, *statement);
    rule.statements.push_back(std::move(*statement));
  }
  if (!unpacker.complete()) return std::nullopt;
  return rule;
}

}  // namespace wsl4::netlink::nft
