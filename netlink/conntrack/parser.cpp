#include "netlink/conntrack/parser.h"

#include <utility>

#include <linux/netfilter/nfnetlink_conntrack.h>

#include "netlink/message.h"

namespace wsl4::netlink::conntrack {

namespace {

/// Runs `take(attribute)` on every attribute; false if one of them, or the run itself, is broken.
template <class Take>
bool each_attribute(ByteSpan bytes, Take&& take) {
  AttributeReader reader(bytes);
  while (const auto attribute = reader.next()) {
    if (!take(*attribute)) return false;
  }
  return !reader.broken();
}

template <class T, class U>
bool store(const std::optional<T>& value, U& place) {
  if (!value) return false;
  place = static_cast<U>(*value);
  return true;
}

bool take_address(ByteSpan value, std::size_t size, IpAddress& address) {
  return value.size() == size && store(IpAddress::from_bytes(value), address);
}

bool parse_addresses(ByteSpan bytes, Tuple& tuple) {
  unsigned seen = 0;
  const bool intact = each_attribute(bytes, [&](const Attribute& attribute) {
    switch (attribute.type) {
      case CTA_IP_V4_SRC:
        seen |= 1;
        return take_address(attribute.value, 4, tuple.source.address);
      case CTA_IP_V4_DST:
        seen |= 2;
        return take_address(attribute.value, 4, tuple.destination.address);
      case CTA_IP_V6_SRC:
        seen |= 1;
        return take_address(attribute.value, 16, tuple.source.address);
      case CTA_IP_V6_DST:
        seen |= 2;
        return take_address(attribute.value, 16, tuple.destination.address);
      default:
        return true;
    }
  });
  return intact && seen == 3 && tuple.source.address.family() == tuple.destination.address.family();
}

bool parse_ports(ByteSpan bytes, Tuple& tuple) {
  unsigned seen = 0;
  std::uint8_t protocol = 0;
  const bool intact = each_attribute(bytes, [&](const Attribute& attribute) {
    switch (attribute.type) {
      case CTA_PROTO_NUM:
        seen |= 1;
        return store(read_u8(attribute.value), protocol);
      case CTA_PROTO_SRC_PORT:
        seen |= 2;
        return store(read_be16(attribute.value), tuple.source.port);
      case CTA_PROTO_DST_PORT:
        seen |= 4;
        return store(read_be16(attribute.value), tuple.destination.port);
      default:
        return true;
    }
  });
  tuple.protocol = static_cast<Protocol>(protocol);
  return intact && seen == 7 && (tuple.protocol == Protocol::kTcp || tuple.protocol == Protocol::kUdp);
}

bool parse_tuple(ByteSpan bytes, Tuple& tuple) {
  unsigned seen = 0;
  const bool intact = each_attribute(bytes, [&](const Attribute& attribute) {
    switch (attribute.type) {
      case CTA_TUPLE_IP:
        seen |= 1;
        return parse_addresses(attribute.value, tuple);
      case CTA_TUPLE_PROTO:
        seen |= 2;
        return parse_ports(attribute.value, tuple);
      default:
        return true;
    }
  });
  return intact && seen == 3;
}

/// struct nf_ct_tcp_flags: the flags, then a mask that dumps leave zero.
bool take_flags(ByteSpan value, std::uint8_t& flags) {
  if (value.size() != 2) return false;
  flags = value[0];
  return true;
}

bool take_state(ByteSpan value, TcpState& state) {
  const auto number = read_u8(value);
  return number && *number <= static_cast<std::uint8_t>(TcpState::kSynSent2) && store(number, state);
}

bool parse_tcp(ByteSpan bytes, Flow& flow) {
  return each_attribute(bytes, [&](const Attribute& attribute) {
    switch (attribute.type) {
      case CTA_PROTOINFO_TCP_STATE:
        return take_state(attribute.value, flow.tcp_state);
      case CTA_PROTOINFO_TCP_WSCALE_ORIGINAL:
        return store(read_u8(attribute.value), flow.wscale_original);
      case CTA_PROTOINFO_TCP_WSCALE_REPLY:
        return store(read_u8(attribute.value), flow.wscale_reply);
      case CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
        return take_flags(attribute.value, flow.tcp_flags_original);
      case CTA_PROTOINFO_TCP_FLAGS_REPLY:
        return take_flags(attribute.value, flow.tcp_flags_reply);
      default:
        return true;
    }
  });
}

bool parse_protoinfo(ByteSpan bytes, Flow& flow) {
  return each_attribute(
      bytes, [&](const Attribute& attribute) { return attribute.type != CTA_PROTOINFO_TCP || parse_tcp(attribute.value, flow); });
}

bool parse_timestamps(ByteSpan bytes, Flow& flow) {
  return each_attribute(bytes, [&](const Attribute& attribute) {
    return attribute.type != CTA_TIMESTAMP_START || store(read_be64(attribute.value), flow.start_ns);
  });
}

}  // namespace

std::optional<Flow> parse_flow(std::span<const std::uint8_t> payload) {
  if (payload.size() < sizeof(nfgenmsg)) return std::nullopt;
  std::optional<Flow> result{std::in_place};  // filled in place: this runs once per entry of a large table
  Flow& flow = *result;
  unsigned seen = 0;
  const bool intact = each_attribute(payload.subspan(sizeof(nfgenmsg)), [&](const Attribute& attribute) {
    switch (attribute.type) {
      case CTA_TUPLE_ORIG:
        seen |= 1;
        return parse_tuple(attribute.value, flow.original);
      case CTA_TUPLE_REPLY:
        seen |= 2;
        return parse_tuple(attribute.value, flow.reply);
      case CTA_STATUS:
        return store(read_be32(attribute.value), flow.status);
      case CTA_PROTOINFO:
        return parse_protoinfo(attribute.value, flow);
      case CTA_TIMEOUT:
        return store(read_be32(attribute.value), flow.timeout);
      case CTA_MARK:
        return store(read_be32(attribute.value), flow.mark);
      case CTA_TIMESTAMP:
        return parse_timestamps(attribute.value, flow);
      case CTA_ID:
        return store(read_be32(attribute.value), flow.id);
      default:
        return true;
    }
  });
  const bool alike =
      flow.original.protocol == flow.reply.protocol && flow.original.source.address.family() == flow.reply.source.address.family();
  if (!intact || seen != 3 || !alike) result.reset();
  return result;
}

}  // namespace wsl4::netlink::conntrack
