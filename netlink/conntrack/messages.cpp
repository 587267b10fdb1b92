#include "netlink/conntrack/messages.h"

#include <sys/socket.h>

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

namespace wsl4::netlink::conntrack {

namespace {

void begin(MessageWriter& out, int type, int flags, std::uint32_t sequence, int af) {
  out.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type), static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
            sequence);
  out.header(nfgenmsg{static_cast<std::uint8_t>(af), NFNETLINK_V0, 0});
}

int af_of(const Flow& flow) { return flow.original.source.address.family() == Family::kIpv4 ? AF_INET : AF_INET6; }

void put_tuple(MessageWriter& out, std::uint16_t type, const Tuple& tuple) {
  const bool ipv4 = tuple.source.address.family() == Family::kIpv4;
  const auto outer = out.begin_nest(type);
  const auto addresses = out.begin_nest(CTA_TUPLE_IP);
  out.put(ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source.address.bytes());
  out.put(ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination.address.bytes());
  out.end_nest(addresses);
  const auto ports = out.begin_nest(CTA_TUPLE_PROTO);
  out.put_u8(CTA_PROTO_NUM, static_cast<std::uint8_t>(tuple.protocol));
  out.put_be16(CTA_PROTO_SRC_PORT, tuple.source.port);
  out.put_be16(CTA_PROTO_DST_PORT, tuple.destination.port);
  out.end_nest(ports);
  out.end_nest(outer);
}

/// Address and port as ranges of one: with an address alone the kernel would choose the port itself.
void put_nat(MessageWriter& out, std::uint16_t type, const Endpoint& endpoint) {
  const bool ipv4 = endpoint.address.family() == Family::kIpv4;
  const auto nat = out.begin_nest(type);
  out.put(ipv4 ? CTA_NAT_V4_MINIP : CTA_NAT_V6_MINIP, endpoint.address.bytes());
  out.put(ipv4 ? CTA_NAT_V4_MAXIP : CTA_NAT_V6_MAXIP, endpoint.address.bytes());
  const auto ports = out.begin_nest(CTA_NAT_PROTO);
  out.put_be16(CTA_PROTONAT_PORT_MIN, endpoint.port);
  out.put_be16(CTA_PROTONAT_PORT_MAX, endpoint.port);
  out.end_nest(ports);
  out.end_nest(nat);
}

void put_flags(MessageWriter& out, std::uint16_t type, std::uint8_t flags) {
  // What the other node knew about unacknowledged data and highest acknowledgement is not in the entry here.
  constexpr std::uint8_t kLocalKnowledge = IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED | IP_CT_TCP_FLAG_MAXACK_SET;
  const std::uint8_t value[] = {static_cast<std::uint8_t>((flags & ~kLocalKnowledge) | IP_CT_TCP_FLAG_BE_LIBERAL), 0xff};
  out.put(type, value);
}

void put_protoinfo(MessageWriter& out, const Flow& flow) {
  const TcpState state = flow.tcp_state == TcpState::kNone ? TcpState::kEstablished : flow.tcp_state;
  const auto outer = out.begin_nest(CTA_PROTOINFO);
  const auto tcp = out.begin_nest(CTA_PROTOINFO_TCP);
  out.put_u8(CTA_PROTOINFO_TCP_STATE, static_cast<std::uint8_t>(state));
  out.put_u8(CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, flow.wscale_original);
  out.put_u8(CTA_PROTOINFO_TCP_WSCALE_REPLY, flow.wscale_reply);
  put_flags(out, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, flow.tcp_flags_original);
  put_flags(out, CTA_PROTOINFO_TCP_FLAGS_REPLY, flow.tcp_flags_reply);
  out.end_nest(tcp);
  out.end_nest(outer);
}

void put_state(MessageWriter& out, TcpState state) {
  const auto outer = out.begin_nest(CTA_PROTOINFO);
  const auto tcp = out.begin_nest(CTA_PROTOINFO_TCP);
  out.put_u8(CTA_PROTOINFO_TCP_STATE, static_cast<std::uint8_t>(state));
  out.end_nest(tcp);
  out.end_nest(outer);
}

void begin_timeout(MessageWriter& out, const Flow& flow, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_NEW, 0, sequence, af_of(flow));
  put_tuple(out, CTA_TUPLE_ORIG, flow.original);
  out.put_be32(CTA_TIMEOUT, static_cast<std::uint32_t>(flow.timeout.count()));
}

}  // namespace

void write_dump(MessageWriter& out, MarkFilter filter, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_GET, NLM_F_DUMP, sequence, AF_UNSPEC);
  if (filter.mask != 0) {
    out.put_be32(CTA_MARK, filter.value);
    out.put_be32(CTA_MARK_MASK, filter.mask);
  }
  out.end();
}

void write_find(MessageWriter& out, const Flow& flow, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_GET, 0, sequence, af_of(flow));
  put_tuple(out, CTA_TUPLE_ORIG, flow.original);
  out.end();
}

void write_statistics(MessageWriter& out, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, sequence, AF_UNSPEC);
  out.end();
}

void write_erase(MessageWriter& out, const Flow& flow, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_DELETE, 0, sequence, af_of(flow));
  put_tuple(out, CTA_TUPLE_ORIG, flow.original);
  if (flow.id != 0) out.put_be32(CTA_ID, flow.id);
  out.end();
}

void write_erase_by_reply(MessageWriter& out, const Flow& flow, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_DELETE, 0, sequence, af_of(flow));
  put_tuple(out, CTA_TUPLE_REPLY, flow.reply);
  out.end();
}

void write_timeout(MessageWriter& out, const Flow& flow, std::uint32_t sequence) {
  begin_timeout(out, flow, sequence);
  out.end();
}

void write_mark(MessageWriter& out, const Flow& flow, std::uint32_t mask, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_NEW, 0, sequence, af_of(flow));
  put_tuple(out, CTA_TUPLE_ORIG, flow.original);
  out.put_be32(CTA_MARK, flow.mark & mask);
  out.put_be32(CTA_MARK_MASK, mask);
  out.end();
}

void write_closed(MessageWriter& out, const Flow& flow, std::uint32_t mark_bits, std::uint32_t sequence) {
  begin_timeout(out, flow, sequence);
  out.put_be32(CTA_MARK, mark_bits);
  out.put_be32(CTA_MARK_MASK, mark_bits);
  if (flow.original.protocol == Protocol::kTcp) put_state(out, TcpState::kTimeWait);
  out.end();
}

void write_insert(MessageWriter& out, const Flow& flow, std::uint32_t sequence) {
  begin(out, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, sequence, af_of(flow));
  put_tuple(out, CTA_TUPLE_ORIG, flow.original);
  // The untranslated reply: the kernel derives the real one from the NAT attributes. Both are always told, even the one that
  // changes nothing (mode dnat): for a missing one the kernel may pick another port when the tuple is taken.
  put_tuple(out, CTA_TUPLE_REPLY, {flow.original.destination, flow.original.source, flow.original.protocol});
  out.put_be32(CTA_STATUS, status::kSeenReply | status::kAssured | status::kConfirmed);
  out.put_be32(CTA_TIMEOUT, static_cast<std::uint32_t>(flow.timeout.count()));
  put_nat(out, CTA_NAT_DST, flow.reply.source);
  put_nat(out, CTA_NAT_SRC, flow.reply.destination);
  if (flow.original.protocol == Protocol::kTcp) put_protoinfo(out, flow);
  if (flow.mark != 0) out.put_be32(CTA_MARK, flow.mark);
  out.end();
}

}  // namespace wsl4::netlink::conntrack
