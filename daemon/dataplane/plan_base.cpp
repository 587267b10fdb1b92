// The part of the ruleset that no service owns: base chains, guard, shared maps.
#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan.h"
#include "daemon/dataplane/plan_parts.h"

namespace wsl4::dataplane {
namespace {

using netlink::Family;
using netlink::Protocol;
using namespace netlink::nft;  // the vocabulary of rules

constexpr std::int32_t kBeforeDstnat = -110, kBeforeSrcnat = 90, kBeforeFilter = -10, kRaw = -300;
/// 1 << IPCT_DESTROY | 1 << IPCT_ASSURED | 1 << IPCT_MARK (linux/netfilter/nf_conntrack_common.h). Since nobody else sets IPCT_MARK
/// here, the change of the mark is the one event of a flow that begins to close.
constexpr std::uint32_t kClosingEvents = 0x94;
constexpr std::uint8_t kFinOrRst = 0x05;

constexpr std::uint32_t bit(CtState state) { return static_cast<std::uint32_t>(state); }

Field saddr(Family family) { return family == Family::kIpv4 ? Field::kIpSaddr : Field::kIp6Saddr; }
Field daddr(Family family) { return family == Family::kIpv4 ? Field::kIpDaddr : Field::kIp6Daddr; }
Field original_daddr(Family family) { return family == Family::kIpv4 ? Field::kCtOrigIpDaddr : Field::kCtOrigIp6Daddr; }

Verdict go_to(const char* chain) { return {Verdict::Kind::kGoto, chain}; }
Verdict jump_to(const char* chain) { return {Verdict::Kind::kJump, chain}; }

MatchInSet to_service(Family family) { return {{daddr(family), Field::kL4Proto, Field::kThDport}, names::service_ports(family)}; }
MatchInSet from_backend(Family family, std::string set) {
  return {{saddr(family), Field::kL4Proto, Field::kThSport}, std::move(set)};
}
MatchInSet to_pool(Family family) { return {{daddr(family)}, names::pool_addresses(family)}; }

Chain find_service(Hook::Point point, std::string comment) {
  Chain chain{Hook{Hook::Type::kNat, point, kBeforeDstnat}, std::move(comment), {}};
  for (const auto family : {Family::kIpv4, Family::kIpv6})
    chain.rules.push_back({{LookupVerdict{{daddr(family), Field::kL4Proto, Field::kThDport}, names::services(family)}}, ""});
  return chain;
}

/// Who found no pool address, or, missed during a commit, no chain.
Rule drop_unfound(Family family, Protocol protocol) {
  return {{MatchCtStatusDnat{}, MatchL4Proto{protocol},
           MatchInSet{{original_daddr(family), Field::kL4Proto, Field::kCtOrigProtoDst}, names::service_ports(family)},
           MatchInSet{{daddr(family), Field::kL4Proto, Field::kThDport}, names::snat_backends(family)},
           CountNamed{names::kNoSource}, Verdict{Verdict::Kind::kDrop, ""}},
          "never with the client's address"};
}

Chain postrouting(bool lookups_can_miss) {
  Chain chain{Hook{Hook::Type::kNat, Hook::Point::kPostrouting, kBeforeSrcnat}, "finds the backend's chain of a new flow", {}};
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
      const Concat key{original_daddr(family), Field::kCtOrigProtoDst, daddr(family), Field::kThDport};
      // Missed during a commit it is found below.
      chain.rules.push_back({{MatchCtStatusDnat{}, MatchL4Proto{protocol}, MatchInSet{{Field::kL4Proto}, names::kDealing},
                              LookupVerdict{key, names::blocks(protocol, family)}},
                             ""});
      const Rule find{{MatchCtStatusDnat{}, MatchL4Proto{protocol}, LookupVerdict{key, names::backends(protocol, family)}}, ""};
      chain.rules.push_back(find);
      if (lookups_can_miss) chain.rules.push_back({find.statements, kOnceMore});
      chain.rules.push_back(drop_unfound(family, protocol));
    }
  }
  return chain;
}

Rule known_flows() {
  return {{MatchCtState{bit(CtState::kEstablished) | bit(CtState::kRelated)}, Verdict{Verdict::Kind::kAccept, ""}}, "known flows"};
}

Chain input() {
  return {Hook{Hook::Type::kFilter, Hook::Point::kInput, kBeforeFilter}, "", {known_flows(), {{jump_to(names::kGuard)}, ""}}};
}

Chain forward(const service::MarkLayout& mark) {
  Chain chain{Hook{Hook::Type::kFilter, Hook::Point::kForward, kBeforeFilter}, "", {}};
  chain.rules.push_back({{MatchL4Proto{Protocol::kTcp}, MatchTcpFlagsAny{kFinOrRst}, MatchCtMarkAny{mark.backend_mask()},
                          SetCtEvents{kClosingEvents}, OrCtMark{mark.closing_bit()}},
                         "tell that a flow begins to close"});
  chain.rules.push_back(known_flows());
  for (const auto family : {Family::kIpv4, Family::kIpv6})
    chain.rules.push_back(
        {{MatchCtState{bit(CtState::kInvalid)}, from_backend(family, names::dnat_backends(family)), go_to(names::kRefuse)},
         "would leave untranslated"});
  chain.rules.push_back({{jump_to(names::kGuard)}, ""});
  return chain;
}

Chain guard() {
  Chain chain{std::nullopt, "packets that should belong to a flow of ours and belong to none", {}};
  for (const auto family : {Family::kIpv4, Family::kIpv6}) chain.rules.push_back({{to_service(family), go_to(names::kRefuse)}, ""});
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    const auto answers = from_backend(family, names::snat_backends(family));
    // A backend's own new connection to a pool address is none of ours; a datagram is always new to conntrack.
    chain.rules.push_back(
        {{MatchL4Proto{Protocol::kTcp}, MatchCtState{bit(CtState::kInvalid)}, answers, to_pool(family), go_to(names::kRefuse)},
         ""});
    chain.rules.push_back({{MatchL4Proto{Protocol::kUdp}, answers, to_pool(family), go_to(names::kRefuse)}, ""});
  }
  return chain;
}

Chain refuse() {
  return {std::nullopt,
          "",
          {{{MatchL4Proto{Protocol::kTcp}, MatchCtState{bit(CtState::kNew)}, Verdict{Verdict::Kind::kDrop, ""}},
            "its service was missed during a commit: the client sends again"},
           {{MatchL4Proto{Protocol::kTcp}, Reject{true}}, ""},
           {{Reject{false}}, ""}}};
}

void add_shared_sets(Table& table, Family family) {
  const auto address = address_type(family);
  const std::vector<Type> endpoint{address, Type::kInetProto, Type::kInetService};
  Set verdicts;
  verdicts.key = endpoint;
  verdicts.verdicts = true;
  verdicts.comment = "VIP . protocol . port : its service";
  table.sets[names::services(family)] = verdicts;
  verdicts.key = {address, Type::kInetService, address, Type::kInetService};
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
    verdicts.comment = "VIP . port . backend : its chain";
    table.sets[names::backends(protocol, family)] = verdicts;
    verdicts.comment = "the same, while ports are dealt in blocks";
    table.sets[names::blocks(protocol, family)] = verdicts;
  }

  Set plain;
  plain.key = endpoint;
  table.sets[names::service_ports(family)] = plain;
  table.sets[names::snat_backends(family)] = plain;
  table.sets[names::dnat_backends(family)] = plain;
  plain.key = {address};
  table.sets[names::pool_addresses(family)] = plain;
}

Set dealing() {
  Set protocols;
  protocols.key = {Type::kInetProto};
  protocols.timeout = kDealingTimeout;
  protocols.comment = "there while the daemon deals blocks of ports";
  return protocols;
}

/// Taking the role is to empty the sets: nothing else differs.
void add_gate(Table& table, service::Gate gate) {
  const auto protocols = [](bool full, const char* comment) {
    Set set;
    set.key = {Type::kInetProto};
    set.comment = comment;
    if (full)
      for (const auto protocol : {Protocol::kTcp, Protocol::kUdp})
        set.elements.emplace(KeyBuilder().add(protocol).take(), Element{});
    return set;
  };
  table.sets[names::kStandby] = protocols(gate == service::Gate::kStandby, "new flows are the other node's");
  table.sets[names::kFenced] = protocols(gate != service::Gate::kOpen, "the entries of flows may be still to come");
  const auto drop_first = [&table](const char* chain, std::vector<Statement> statements, const char* comment) {
    statements.emplace_back(Verdict{Verdict::Kind::kDrop, ""});
    auto& rules = table.chains.at(chain).rules;
    rules.insert(rules.begin(), Rule{std::move(statements), comment});
  };
  for (const auto* chain : {names::kPrerouting, names::kOutput}) {
    for (const auto family : {Family::kIpv6, Family::kIpv4})
      drop_first(chain, {MatchInSet{{Field::kL4Proto}, names::kStandby}, to_service(family)}, "this node is not active");
  }
  drop_first(names::kRefuse, {MatchInSet{{Field::kL4Proto}, names::kFenced}}, "no reset while entries may be still to come");
}

/// What this node forges to tell of a flow that is copied to it; see LimitClientConnections. Before conntrack: it belongs to no
/// flow.
void add_copies(Table& table) {
  auto& chain = table.chains[names::kCopies];
  chain = {Hook{Hook::Type::kFilter, Hook::Point::kOutput, kRaw}, "counts copied flows for the limits of their clients", {}};
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    chain.rules.push_back(
        {{LookupVerdict{{Field::kMark, daddr(family), Field::kL4Proto, Field::kThDport}, names::copies(family)}}, ""});
    auto& map = table.sets[names::copies(family)];
    map.key = {Type::kMark, address_type(family), Type::kInetProto, Type::kInetService};
    map.verdicts = true;
    map.comment = "packet mark . VIP . protocol . port : a service that limits connections";
  }
}

}  // namespace

Transaction go_on_dealing() {
  Transaction transaction(kTableName);
  transaction.add(FlushSet{names::kDealing});
  ElementList protocols;
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) protocols.emplace_back(KeyBuilder().add(protocol).take(), Element{});
  transaction.add(AddElements{names::kDealing, dealing(), std::move(protocols)});
  return transaction;
}

Table plan_base(const service::DesiredState& state) {
  Table table;
  table.name = kTableName;
  table.comment = "wsl4 layout " + std::to_string(kLayoutVersion);
  table.owned = state.owned_table;
  for (const auto family : {Family::kIpv4, Family::kIpv6}) add_shared_sets(table, family);
  table.sets[names::kDealing] = dealing();
  table.counters[names::kNoSource] = {"new flows dropped: no pool address"};
  table.chains = {{names::kPrerouting, find_service(Hook::Point::kPrerouting, "finds the service of a new flow")},
                  {names::kOutput, find_service(Hook::Point::kOutput, "the same for what this machine sends to a VIP")},
                  {names::kPostrouting, postrouting(state.double_dnat)},
                  {names::kInput, input()},
                  {names::kForward, forward(state.mark)},
                  {names::kGuard, guard()},
                  {names::kRefuse, refuse()}};
  if (state.gate) add_gate(table, *state.gate);
  if (state.gate) add_copies(table);
  return table;
}

std::optional<service::Gate> gate_of(const Table& found) {
  const auto standby = found.sets.find(names::kStandby), fenced = found.sets.find(names::kFenced);
  if (standby == found.sets.end() || fenced == found.sets.end()) return {};
  if (!standby->second.elements.empty()) return service::Gate::kStandby;
  return fenced->second.elements.empty() ? service::Gate::kOpen : service::Gate::kFence;
}

}  // namespace wsl4::dataplane
