// An nftables table as a value: what wsl4 needs of the language, no more. Planning builds it, diffing compares it, a
// Transaction carries differences to the kernel, `read_table` brings back what the kernel holds.
//
// Statements stand at the level of nft's text, so that a rule can be printed, compared and read; `encode` turns each one
// into the kernel's register expressions (nft(8); kernel net/netfilter/nft_*.c).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "netlink/ip.h"

namespace wsl4::netlink::nft {

// ---- selectors ------------------------------------------------------------------------------------------------

/// What a packet can be asked for. Address fields are of one family; a rule that uses one matches only that family
/// (the nfproto dependency is stated by the encoder, as nft does).
enum class Field : std::uint8_t {
  kIpSaddr,
  kIpDaddr,
  kIp6Saddr,
  kIp6Daddr,  // 4 or 16 bytes
  kCtOrigIpDaddr,
  kCtOrigIp6Daddr,  // ct original ip daddr: the VIP of a translated flow
  kCtOrigProtoDst,  // ct original proto-dst: the VIP's port (needs an l4proto match before it)
  kL4Proto,         // meta l4proto, 1 byte
  kThSport,
  kThDport,  // 2 bytes, network order
};
using Concat = std::vector<Field>;

/// Where a slot number comes from: `numgen inc|random mod N` or `jhash ip saddr mod N seed S`.
struct Selector {
  enum class Kind : std::uint8_t { kIncremental, kRandom, kHashSaddr };
  Kind kind = Kind::kIncremental;
  std::uint32_t modulus = 1;  // >= 1
  std::uint32_t seed = 0;     // kHashSaddr only
  friend bool operator==(const Selector&, const Selector&) = default;
};

// ---- statements -----------------------------------------------------------------------------------------------

enum class CtState : std::uint8_t { kInvalid = 1, kEstablished = 2, kRelated = 4, kNew = 8, kUntracked = 64 };  // NF_CT_STATE_BIT

struct MatchL4Proto {
  Protocol protocol;
  friend bool operator==(const MatchL4Proto&, const MatchL4Proto&) = default;
};
/// `ct state a,b`: any of the bits (a combination of CtState).
struct MatchCtState {
  std::uint32_t bits;
  friend bool operator==(const MatchCtState&, const MatchCtState&) = default;
};
/// `ct status dnat`: the flow was translated (IPS_DST_NAT).
struct MatchCtStatusDnat {
  friend bool operator==(const MatchCtStatusDnat&, const MatchCtStatusDnat&) = default;
};
/// `ct mark & mask != 0`.
struct MatchCtMarkAny {
  std::uint32_t mask;
  friend bool operator==(const MatchCtMarkAny&, const MatchCtMarkAny&) = default;
};
/// `tcp flags & bits != 0` (any of the bits; needs MatchL4Proto tcp before it).
struct MatchTcpFlagsAny {
  std::uint8_t bits;
  friend bool operator==(const MatchTcpFlagsAny&, const MatchTcpFlagsAny&) = default;
};
/// `ip daddr . th dport @set`.
struct MatchInSet {
  Concat key;
  std::string set;
  friend bool operator==(const MatchInSet&, const MatchInSet&) = default;
};
/// `ip daddr . meta l4proto . th dport vmap @map`.
struct LookupVerdict {
  Concat key;
  std::string map;
  friend bool operator==(const LookupVerdict&, const LookupVerdict&) = default;
};
/// `ct mark set ct mark and KEEP xor VALUE`: replaces the bits outside `keep` by `value` (value & keep == 0).
struct SetCtMark {
  std::uint32_t keep;
  std::uint32_t value;
  friend bool operator==(const SetCtMark&, const SetCtMark&) = default;
};
/// `ct mark set ct mark or BITS`.
struct OrCtMark {
  std::uint32_t bits;
  friend bool operator==(const OrCtMark&, const OrCtMark&) = default;
};
/// `ct event set …`: a mask of 1 << IPCT_* (kernel nf_conntrack_common.h).
struct SetCtEvents {
  std::uint32_t mask;
  friend bool operator==(const SetCtEvents&, const SetCtEvents&) = default;
};
/// `dnat ip to SELECTOR map @map`: the map's data is address . port.
struct DnatFromMap {
  Family family;
  Selector selector;
  std::string map;
  friend bool operator==(const DnatFromMap&, const DnatFromMap&) = default;
};
/// `snat ip to SELECTOR map @map:LO-HI`: the map's data is an address.
struct SnatFromMap {
  Family family;
  Selector selector;
  std::string map;
  std::uint16_t port_min;
  std::uint16_t port_max;
  friend bool operator==(const SnatFromMap&, const SnatFromMap&) = default;
};
/// `counter name "x"`.
struct CountNamed {
  std::string counter;
  friend bool operator==(const CountNamed&, const CountNamed&) = default;
};
/// `reject with tcp reset` or `reject with icmpx port-unreachable`.
struct Reject {
  bool tcp_reset;
  friend bool operator==(const Reject&, const Reject&) = default;
};

/// What ends a rule, or what an element of a verdict map says.
struct Verdict {
  enum class Kind : std::uint8_t { kAccept, kDrop, kReturn, kJump, kGoto };
  Kind kind = Kind::kAccept;
  std::string chain;  // kJump, kGoto
  friend auto operator<=>(const Verdict&, const Verdict&) = default;
};

using Statement =
    std::variant<MatchL4Proto, MatchCtState, MatchCtStatusDnat, MatchCtMarkAny, MatchTcpFlagsAny, MatchInSet, LookupVerdict,
                 SetCtMark, OrCtMark, SetCtEvents, DnatFromMap, SnatFromMap, CountNamed, Reject, Verdict>;

struct Rule {
  std::vector<Statement> statements;
  std::string comment;  // at most 128 bytes, may be empty
  friend bool operator==(const Rule&, const Rule&) = default;
};

// ---- chains, maps, counters -----------------------------------------------------------------------------------

struct Hook {
  enum class Type : std::uint8_t { kFilter, kNat };
  enum class Point : std::uint8_t { kPrerouting, kInput, kForward, kOutput, kPostrouting };
  Type type = Type::kFilter;
  Point point = Point::kPrerouting;
  std::int32_t priority = 0;
  friend bool operator==(const Hook&, const Hook&) = default;
};

struct Chain {
  std::optional<Hook> hook;  // base chain, policy accept
  std::string comment;       // at most 128 bytes
  std::vector<Rule> rules;
  friend bool operator==(const Chain&, const Chain&) = default;
};

/// The kernel's fixed types that make up keys and data.
enum class Type : std::uint8_t {
  kIpv4Addr,
  kIpv6Addr,
  kInetProto,
  kInetService,
  kMark,
  kSlot,  // key of a numgen or jhash lookup: 4 bytes, host order; listed with `typeof numgen inc mod N`
};

/// A key or data as the kernel stores it: each field padded to 4 bytes, network order (kSlot and kMark: host order).
using Bytes = std::vector<std::uint8_t>;
using Data = std::variant<std::monostate, Bytes, Verdict>;  // monostate: a set's element

struct Element {
  Data data;
  std::string comment;  // at most 128 bytes
  friend bool operator==(const Element&, const Element&) = default;
};

/// A set (no data type), a map, or a verdict map.
struct Set {
  std::vector<Type> key;
  std::vector<Type> data;          // empty for sets and verdict maps
  bool verdicts = false;           // a verdict map
  std::uint32_t slot_modulus = 0;  // for a kSlot key: the N that `typeof` names (text only)
  /// For a kSlot key: whose dport `typeof` names for kInetService data, "tcp dport" or "udp dport". nft 1.0.6 evaluates it in each
  /// rule that uses the map, and refuses one protocol (or `th`) in a rule that matched the other. Kept in the set's userdata.
  Protocol port_protocol = Protocol::kTcp;
  std::uint32_t size = 0;  // 0 = unbounded
  std::string comment;
  std::map<Bytes, Element> elements;
  friend bool operator==(const Set&, const Set&) = default;
};

struct CounterObject {
  std::string comment;
  friend bool operator==(const CounterObject&, const CounterObject&) = default;  // packets are no part of the desired state
};

/// One table of family inet.
struct Table {
  std::string name;     // "wsl4"
  std::string comment;  // carries the layout version
  bool owned = false;   // flags owner,persist (kernel >= 6.9)
  std::map<std::string, CounterObject> counters;
  std::map<std::string, Set> sets;
  std::map<std::string, Chain> chains;
  friend bool operator==(const Table&, const Table&) = default;
};

// ---- building keys --------------------------------------------------------------------------------------------

/// Builds a key or data field by field, with the kernel's padding.
class KeyBuilder {
 public:
  KeyBuilder& add(const IpAddress& address);
  KeyBuilder& add(Protocol protocol);
  KeyBuilder& add_port(std::uint16_t port);
  KeyBuilder& add_slot(std::uint32_t slot);
  [[nodiscard]] Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace wsl4::netlink::nft
