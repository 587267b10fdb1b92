#include "tests/support/packet_tracer.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace wsl4::test {

using namespace netlink::nft;
using netlink::Endpoint;
using netlink::Family;
using netlink::IpAddress;
using netlink::Protocol;

/// One packet on its way; the state that rules see and change.
class Walk {
 public:
  Walk(PacketTracer& tracer, const Packet& packet) : tracer_(tracer), packet_(packet), original_to_(packet.to) {
    trace_.from = packet.from;
    trace_.to = packet.to;
    trace_.mark = packet.mark;
  }

  Trace run() {
    const bool first = packet_.state == CtState::kNew;
    if (first && !hook(Hook::Point::kPrerouting, Hook::Type::kNat)) return trace_;
    const bool here = tracer_.local_.contains(trace_.to.address);
    if (!hook(here ? Hook::Point::kInput : Hook::Point::kForward, Hook::Type::kFilter)) return trace_;
    trace_.end = here ? Trace::End::kDelivered : Trace::End::kForwarded;
    if (first && !here) hook(Hook::Point::kPostrouting, Hook::Type::kNat);
    return trace_;
  }

 private:
  enum class Then : std::uint8_t { kNextRule, kNextStatement, kReturn, kAccept, kStop };

  /// False: the packet ends here.
  bool hook(Hook::Point point, Hook::Type type) {
    for (const auto& [name, chain] : tracer_.table_.chains)
      if (chain.hook && chain.hook->point == point && chain.hook->type == type && walk(name) == Then::kStop) return false;
    return true;
  }

  Then walk(const std::string& name) {
    trace_.chains.push_back(name);
    const auto& chain = tracer_.table_.chains.at(name);
    for (std::size_t i = 0; i < chain.rules.size(); ++i) {
      place_ = {name, i};
      const auto then = apply(chain.rules[i]);
      if (then == Then::kReturn) return Then::kNextRule;
      if (then == Then::kAccept || then == Then::kStop) return then;
    }
    return Then::kNextRule;
  }

  Then apply(const Rule& rule) {
    for (const auto& statement : rule.statements) {
      const auto then = std::visit([this](const auto& one) { return eval(one); }, statement);
      if (then != Then::kNextStatement) return then;
    }
    return Then::kNextRule;
  }

  static Then match(bool matches) { return matches ? Then::kNextStatement : Then::kNextRule; }

  Then eval(const MatchL4Proto& statement) const { return match(packet_.protocol == statement.protocol); }
  Then eval(const MatchCtState& statement) const {
    return match((statement.bits & static_cast<std::uint32_t>(packet_.state)) != 0);
  }
  Then eval(const MatchCtStatusDnat&) const { return match(trace_.to != original_to_); }
  Then eval(const MatchCtMarkAny& statement) const { return match((trace_.mark & statement.mask) != 0); }
  Then eval(const MatchTcpFlagsAny& statement) const {
    return match(packet_.protocol == Protocol::kTcp && (packet_.tcp_flags & statement.bits) != 0);
  }
  Then eval(const MatchInSet& statement) {
    const auto wanted = key(statement.key);
    return match(wanted && tracer_.table_.sets.at(statement.set).elements.contains(*wanted));
  }
  Then eval(const LookupVerdict& statement) {
    const auto wanted = key(statement.key);
    const auto* element = wanted ? find(statement.map, *wanted) : nullptr;
    return element ? eval(std::get<Verdict>(element->data)) : Then::kNextRule;
  }
  Then eval(const SetCtMark& statement) {
    trace_.mark = (trace_.mark & statement.keep) ^ statement.value;
    return Then::kNextStatement;
  }
  Then eval(const OrCtMark& statement) {
    trace_.mark |= statement.bits;
    return Then::kNextStatement;
  }
  Then eval(const SetCtEvents& statement) {
    trace_.events = statement.mask;
    return Then::kNextStatement;
  }
  Then eval(const DnatFromMap& statement) {
    const auto data = select(statement.family, statement.selector, statement.map);
    if (!data) return Then::kNextRule;
    const auto size = data->size() - 4;
    trace_.to.address = IpAddress::from_bytes(std::span(*data).first(size)).value();
    trace_.to.port = static_cast<std::uint16_t>(data->at(size) << 8 | data->at(size + 1));
    return Then::kAccept;
  }
  Then eval(const SnatFromMap& statement) {
    const auto data = select(statement.family, statement.selector, statement.map);
    if (!data) return Then::kNextRule;
    trace_.from.address = IpAddress::from_bytes(*data).value();
    trace_.port_min = statement.port_min;
    trace_.port_max = statement.port_max;
    return Then::kAccept;
  }
  Then eval(const SnatFromBlocks& statement) {
    const auto data = select(statement.family, statement.selector, statement.map);
    if (!data) return Then::kNextRule;
    const auto half = std::span(*data).first(data->size() / 2), rest = std::span(*data).subspan(half.size());
    const auto port = [](std::span<const std::uint8_t> end) {
      return static_cast<std::uint16_t>(end[end.size() - 4] << 8 | end[end.size() - 3]);
    };
    trace_.from.address = IpAddress::from_bytes(half.first(half.size() - 4)).value();
    trace_.port_min = port(half);
    trace_.port_max = port(rest);
    return Then::kAccept;
  }
  /// A flow that is over the limit is taken for refused, and not counted.
  Then eval(const LimitClientConnections& statement) {
    auto* flows = client(statement.family, statement.set);
    if (flows == nullptr) return Then::kNextRule;
    if (*flows == statement.count) return Then::kNextStatement;
    ++*flows;
    return Then::kNextRule;
  }
  Then eval(const LimitClientRate& statement) {
    auto* packets = client(statement.family, statement.set);
    return match(packets != nullptr && (*packets)++ >= statement.burst);
  }
  Then eval(const CountNamed& statement) {
    tracer_.table_.counters.at(statement.counter);
    trace_.counters.push_back(statement.counter);
    return Then::kNextStatement;
  }
  Then eval(const Reject& statement) {
    if (statement.tcp_reset && packet_.protocol != Protocol::kTcp) return Then::kNextRule;
    return stop(statement.tcp_reset ? Trace::End::kReset : Trace::End::kUnreachable);
  }
  Then eval(const Verdict& verdict) {
    switch (verdict.kind) {
      case Verdict::Kind::kAccept:
        return Then::kAccept;
      case Verdict::Kind::kDrop:
        return stop(Trace::End::kDropped);
      case Verdict::Kind::kReturn:
        return Then::kReturn;
      case Verdict::Kind::kJump:
        return walk(verdict.chain);
      case Verdict::Kind::kGoto:
        break;
    }
    const auto then = walk(verdict.chain);
    return then == Then::kNextRule ? Then::kReturn : then;
  }

  Then stop(Trace::End end) {
    trace_.end = end;
    return Then::kStop;
  }

  /// The data that this rule's selector draws from the map, if the packet is of that family and the slot is there.
  std::optional<Bytes> select(Family family, const Selector& selector, const std::string& map) {
    if (trace_.to.address.family() != family) return std::nullopt;
    const auto* element = find(map, KeyBuilder().add_slot(slot(selector)).take());
    return element ? std::optional(std::get<Bytes>(element->data)) : std::nullopt;
  }

  std::uint32_t slot(const Selector& selector) {
    if (selector.modulus == 0) throw std::out_of_range("modulus 0");
    switch (selector.kind) {
      case Selector::Kind::kIncremental:
        return tracer_.turns_[place_]++ % selector.modulus;
      case Selector::Kind::kRandom:
        tracer_.random_ = tracer_.random_ * 1664525 + 1013904223;
        return (tracer_.random_ >> 8) % selector.modulus;
      case Selector::Kind::kHashSaddr:
        break;
    }
    std::uint32_t hash = selector.seed;  // any spread will do here
    for (const auto byte : trace_.from.address.bytes()) hash = (hash ^ byte) * 16777619;
    return (hash >> 8) % selector.modulus;
  }

  const Element* find(const std::string& map, const Bytes& wanted) {
    const auto& elements = tracer_.table_.sets.at(map).elements;
    const auto element = elements.find(wanted);
    if (element == elements.end()) return nullptr;
    if (tracer_.missed_ == map) {
      tracer_.missed_.reset();
      return nullptr;
    }
    return &element->second;
  }

  /// What the set holds of the packet's client. nullptr: of the other family, or new and the set is full.
  std::uint32_t* client(Family family, const std::string& set) {
    auto& clients = tracer_.clients_[set];
    const auto wanted = key({client_field(family)});
    const bool full = clients.size() == tracer_.table_.sets.at(set).size;
    return !wanted || (full && !clients.contains(*wanted)) ? nullptr : &clients[*wanted];
  }

  /// Nothing where a field is of the other family.
  std::optional<Bytes> key(const Concat& fields) const {
    KeyBuilder builder;
    for (const auto field : fields) {
      switch (field) {
        case Field::kIpSaddr:
        case Field::kIp6Saddr:
          if (!add(builder, trace_.from.address, field == Field::kIpSaddr)) return std::nullopt;
          break;
        case Field::kIpDaddr:
        case Field::kIp6Daddr:
          if (!add(builder, trace_.to.address, field == Field::kIpDaddr)) return std::nullopt;
          break;
        case Field::kCtOrigIpDaddr:
        case Field::kCtOrigIp6Daddr:
          if (!add(builder, original_to_.address, field == Field::kCtOrigIpDaddr)) return std::nullopt;
          break;
        case Field::kIp6SaddrNet:
          if (!add(builder, netlink::Prefix{trace_.from.address, 64}.network(), false)) return std::nullopt;
          break;
        case Field::kCtOrigProtoDst:
          builder.add_port(original_to_.port);
          break;
        case Field::kL4Proto:
          builder.add(packet_.protocol);
          break;
        case Field::kMark:
          builder.add_slot(0);  // none of what comes from the network has one
          break;
        case Field::kThSport:
          builder.add_port(trace_.from.port);
          break;
        case Field::kThDport:
          builder.add_port(trace_.to.port);
          break;
      }
    }
    return builder.take();
  }

  static bool add(KeyBuilder& builder, const IpAddress& address, bool ipv4) {
    builder.add(address);
    return (address.family() == Family::kIpv4) == ipv4;
  }

  PacketTracer& tracer_;
  const Packet& packet_;
  const Endpoint original_to_;
  std::pair<std::string, std::size_t> place_;
  Trace trace_;
};

Trace PacketTracer::arrive(const Packet& packet) { return Walk(*this, packet).run(); }

}  // namespace wsl4::test
