// An nftables table as a value: what wsl4 needs of the language, no more. Planning builds it, diffing compares it, a
// Transaction carries differences to the kernel, `read_table` brings back what the kernel holds.
//
// Statements stand at the level of nft's text, so that a rule can be printed, compared and read; `encode` turns each one
// into the kernel's register expressions (nft(8); kernel net/netfilter/nft_*.c).
#pragma once

#include <chrono>
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
/// (the nfproto dependency is stated by the encoder, as nft does). A rule's userdata holds these numbers: new ones go to the end.
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
  kThDport,      // 2 bytes, network order
  kIp6SaddrNet,  // ip6 saddr and ffff:ffff:ffff:ffff::, its /64; alone in a key, since nft takes no mask within a concatenation
  kMark,         // meta mark: the packet's, 4 bytes, host order
};
using Concat = std::vector<Field>;

/// By what a client is known: its IPv4 address, or the /64 of its IPv6 address.
constexpr Field client_field(Family family) { return family == Family::kIpv4 ? Field::kIpSaddr : Field::kIp6SaddrNet; }

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

/// `snat ip to SELECTOR map @map`: the map's data are ranges of address . port (Set::data_ranges). In a range of one address and at
/// most 128 ports the kernel finds every free port (kernel nf_nat_core.c, get_unique_tuple); a flow that meets a full one is
/// dropped, and no later rule sees it. nft 1.0.6 lists all of this. It cannot load ranges of one port (EINVAL), nor IPv6, for which
/// it takes the wrong registers (ENODATA; older kernels do not notice, and translate wrongly).
struct SnatFromBlocks {
  Family family;
  Selector selector;
  std::string map;
  friend bool operator==(const SnatFromBlocks&, const SnatFromBlocks&) = default;
};
/// `add @set { ip saddr ct count over COUNT }`, by client_field: matches when the client has more than COUNT flows, this one
/// counted. For a chain that sees a flow's first packet only. Kernel nft_connlimit.c, nf_conncount.c:
/// - Counted are the flows that came to this statement since the set was made and whose conntrack entry lives, but in TIME_WAIT and
///   CLOSE. One that is refused afterwards, by this rule or another, never counts.
/// - A flow that did not begin here counts too if a packet of it comes to such a statement, in any hook, before its entry is there
///   (TcpProber::announce): newer kernels add no flow that has one. Without an entry it is forgotten when its client's flows are
///   looked at next, so its entry must follow at once.
/// - The set is dynamic, with a size and no timeout (EOPNOTSUPP). A client without flows leaves it within about a second.
/// - A full set limits the clients that it holds, and no others.
/// - Who has gone is looked up at most once a tick (1 to 10 ms) per client: one that ends a flow at its limit and begins another
///   within the same tick is refused.
/// - A new flow costs a look-up for each flow of its client, and once a second every flow counted costs one (0.5 us).
struct LimitClientConnections {
  Family family;
  std::string set;
  std::uint32_t count;
  friend bool operator==(const LimitClientConnections&, const LimitClientConnections&) = default;
};
/// `update @set { ip saddr limit rate over PER_SECOND/second burst BURST packets }`, by client_field: matches when the client has
/// used up its burst, which refills at that rate. The set is dynamic, with a size and a timeout, after which an idle client is
/// forgotten: at least BURST / PER_SECOND seconds, or it forgets too soon. A full set limits the clients that it holds, and no
/// others.
struct LimitClientRate {
  Family family;
  std::string set;
  std::uint32_t per_second;
  std::uint32_t burst;
  friend bool operator==(const LimitClientRate&, const LimitClientRate&) = default;
};

/// What ends a rule, or what an element of a verdict map says.
struct Verdict {
  enum class Kind : std::uint8_t { kAccept, kDrop, kReturn, kJump, kGoto };
  Kind kind = Kind::kAccept;
  std::string chain;  // kJump, kGoto
  friend auto operator<=>(const Verdict&, const Verdict&) = default;
};

/// A rule's userdata holds the alternatives' numbers: new ones go to the end.
using Statement = std::variant<MatchL4Proto, MatchCtState, MatchCtStatusDnat, MatchCtMarkAny, MatchTcpFlagsAny, MatchInSet,
                               LookupVerdict, SetCtMark, OrCtMark, SetCtEvents, DnatFromMap, SnatFromMap, CountNamed, Reject,
                               Verdict, SnatFromBlocks, LimitClientConnections, LimitClientRate>;

/// The set or map that the statement uses; nullptr: none.
[[nodiscard]] const std::string* set_of(const Statement& statement);

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
///
/// The elements of a dynamic set (`flags dynamic`) are added by packets, each set by one statement alone; those of any set with a
/// timeout go by themselves. They are state, not ruleset: `elements` stays empty, also when read from the kernel. An element that a
/// packet made keeps the numbers of the statement that made it, so for other numbers the set has to be another one too: let its
/// comment name them.
struct Set {
  std::vector<Type> key;
  std::vector<Type> data;          // empty for sets and verdict maps
  bool data_ranges = false;        // data of several fields holds each field's first value, then each field's last
  bool verdicts = false;           // a verdict map
  std::uint32_t slot_modulus = 0;  // for a kSlot key: the N that `typeof` names (text only)
  /// For a kSlot key: whose dport `typeof` names for kInetService data, "tcp dport" or "udp dport". nft 1.0.6 evaluates it in each
  /// rule that uses the map, and refuses one protocol (or `th`) in a rule that matched the other. Kept in the set's userdata.
  Protocol port_protocol = Protocol::kTcp;
  std::uint32_t size = 0;           // 0 = unbounded
  bool dynamic = false;             // then `size` is not 0
  std::chrono::seconds timeout{0};  // of elements since they were added (dynamic: without a packet); 0 = they stay
  std::string comment;
  std::map<Bytes, Element> elements;
  [[nodiscard]] bool holds_state() const { return dynamic || timeout.count() != 0; }
  friend bool operator==(const Set&, const Set&) = default;
};

/// What says how the set's elements look.
[[nodiscard]] Set without_elements(const Set& set);

struct CounterObject {
  std::string comment;
  friend bool operator==(const CounterObject&, const CounterObject&) = default;  // packets are no part of the desired state
};

/// One table of family inet.
struct Table {
  std::string name;     // "wsl4"
  std::string comment;  // carries the layout version
  bool owned = false;   // flags owner,persist (kernel >= 6.9)
  /// Only read, never built: it holds what this library has no words for (an object other than a counter, a flowtable, a chain with
  /// policy drop) or is dormant. To put it right it has to be deleted and built anew.
  bool unknown = false;
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
