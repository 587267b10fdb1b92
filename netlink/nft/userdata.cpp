#include "netlink/nft/userdata.h"

#include <libnftnl/udata.h>

#include <algorithm>
#include <cstring>

#include "netlink/nft/tlv.h"

namespace wsl4::netlink::nft {

namespace {

/// Private: nft passes over types that it does not know.
constexpr std::uint8_t kModulus = 0x77, kPortProtocol = 0x78;
constexpr std::size_t kMaxComment = NFTNL_UDATA_COMMENT_MAXLEN;

// nft's numbers (include/datatype.h BYTEORDER_*, include/expression.h EXPR_*, include/proto.h, src/payload.c); they are part of
// what it stores, so they do not change.
constexpr std::uint32_t kOrderNone = 0, kOrderHost = 1, kOrderNetwork = 2;
constexpr std::uint32_t kExprPayload = 7, kExprConcat = 13, kExprNumgen = 23;
constexpr std::uint32_t kDescUdp = 6, kDescTcp = 8, kDescIp = 12, kDescIp6 = 13;
constexpr std::uint32_t kSport = 1, kDport = 2, kIpSaddr = 11, kIpDaddr = 12, kIp6Saddr = 8, kIp6Daddr = 9;

std::string text_of(std::optional<ByteSpan> value) {
  if (!value) return "";
  return {value->begin(), std::find(value->begin(), value->end(), 0)};
}

std::optional<std::uint32_t> find_u32(ByteSpan userdata, std::uint8_t type) {
  const auto value = find_tlv(userdata, type);
  std::uint32_t number = 0;
  if (!value || value->size() != sizeof number) return std::nullopt;
  std::memcpy(&number, value->data(), sizeof number);
  return number;
}

std::string cut(const std::string& comment) { return comment.substr(0, kMaxComment); }

std::uint32_t byte_order(const std::vector<Type>& types) {
  if (types.size() != 1) return kOrderNone;
  return types[0] == Type::kSlot || types[0] == Type::kMark ? kOrderHost : kOrderNetwork;
}

Bytes expression(std::uint32_t kind, ByteSpan details) {
  return TlvWriter().put_u32(NFTNL_UDATA_SET_TYPEOF_EXPR, kind).put(NFTNL_UDATA_SET_TYPEOF_DATA, details).take();
}

Bytes payload(std::uint32_t protocol, std::uint32_t field) {
  return expression(kExprPayload, TlvWriter().put_u32(0, protocol).put_u32(1, field).take());
}

Bytes numgen_inc(std::uint32_t modulus) {
  return expression(kExprNumgen, TlvWriter().put_u32(0, 0).put_u32(1, modulus).put_u32(2, 0).take());
}

/// `ip daddr . tcp dport` for an address and a port, `ip saddr . tcp sport` for their ranges, `ip saddr` for an address alone.
Bytes address_and_port(const Set& spec) {
  const bool source = spec.data_ranges || spec.data.size() == 1;
  auto address = spec.data[0] == Type::kIpv4Addr ? payload(kDescIp, source ? kIpSaddr : kIpDaddr)
                                                 : payload(kDescIp6, source ? kIp6Saddr : kIp6Daddr);
  if (spec.data.size() == 1) return address;
  const auto transport = spec.port_protocol == Protocol::kTcp ? kDescTcp : kDescUdp;
  const auto parts = TlvWriter().put(0, address).put(1, payload(transport, source ? kSport : kDport)).take();
  return expression(kExprConcat, parts);
}

}  // namespace

Bytes comment_userdata(const std::string& comment) {
  if (comment.empty()) return {};
  return TlvWriter().put_string(NFTNL_UDATA_RULE_COMMENT, cut(comment)).take();
}

std::string read_comment(ByteSpan userdata) { return text_of(find_tlv(userdata, NFTNL_UDATA_RULE_COMMENT)); }

Bytes set_userdata(const Set& spec) {
  const bool map = spec.verdicts || !spec.data.empty();
  const bool by_slot = spec.key == std::vector{Type::kSlot};
  TlvWriter writer;
  writer.put_u32(NFTNL_UDATA_SET_KEYBYTEORDER, byte_order(spec.key));
  if (map) writer.put_u32(NFTNL_UDATA_SET_DATABYTEORDER, byte_order(spec.data.empty() ? std::vector<Type>(2) : spec.data));
  if (by_slot) writer.put(NFTNL_UDATA_SET_KEY_TYPEOF, numgen_inc(spec.slot_modulus));
  if (spec.key.size() > 1) writer.put(NFTNL_UDATA_SET_KEY_TYPEOF, expression(kExprConcat, {}));
  if (by_slot && !spec.data.empty()) writer.put(NFTNL_UDATA_SET_DATA_TYPEOF, address_and_port(spec));
  if (map) writer.put_u32(NFTNL_UDATA_SET_DATA_INTERVAL, spec.data_ranges ? 1 : 0);
  if (!spec.comment.empty()) writer.put_string(NFTNL_UDATA_SET_COMMENT, cut(spec.comment));
  if (by_slot) writer.put_u32(kModulus, spec.slot_modulus).put_u32(kPortProtocol, static_cast<std::uint32_t>(spec.port_protocol));
  return writer.take();
}

std::string read_set_comment(ByteSpan userdata) { return text_of(find_tlv(userdata, NFTNL_UDATA_SET_COMMENT)); }

std::uint32_t read_slot_modulus(ByteSpan userdata) { return find_u32(userdata, kModulus).value_or(0); }

bool read_data_ranges(ByteSpan userdata) { return find_u32(userdata, NFTNL_UDATA_SET_DATA_INTERVAL).value_or(0) != 0; }

Protocol read_port_protocol(ByteSpan userdata) {
  return find_u32(userdata, kPortProtocol) == static_cast<std::uint32_t>(Protocol::kUdp) ? Protocol::kUdp : Protocol::kTcp;
}

}  // namespace wsl4::netlink::nft
