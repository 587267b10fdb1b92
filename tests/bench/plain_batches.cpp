#include "tests/bench/plain_batches.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <ctime>
#include <memory>
#include <vector>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace wsl4::bench {

namespace {

using netlink::Endpoint;
using netlink::conntrack::Flow;
using Socket = std::unique_ptr<mnl_socket, decltype([](mnl_socket* socket) { mnl_socket_close(socket); })>;

constexpr std::uint32_t kBatch = 256;
constexpr std::size_t kRoom = 512;  // a message has 276 bytes

void put_address(nlmsghdr* message, std::uint16_t type, const Endpoint& endpoint) {
  const auto bytes = endpoint.address.bytes();
  mnl_attr_put(message, type, bytes.size(), bytes.data());
}

void put_tuple(nlmsghdr* message, std::uint16_t type, const Endpoint& from, const Endpoint& to) {
  auto* const tuple = mnl_attr_nest_start(message, type);
  auto* const addresses = mnl_attr_nest_start(message, CTA_TUPLE_IP);
  put_address(message, CTA_IP_V4_SRC, from);
  put_address(message, CTA_IP_V4_DST, to);
  mnl_attr_nest_end(message, addresses);
  auto* const ports = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_TCP);
  mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(from.port));
  mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(to.port));
  mnl_attr_nest_end(message, ports);
  mnl_attr_nest_end(message, tuple);
}

void put_nat(nlmsghdr* message, std::uint16_t type, const Endpoint& to) {
  auto* const nat = mnl_attr_nest_start(message, type);
  put_address(message, CTA_NAT_V4_MINIP, to);
  put_address(message, CTA_NAT_V4_MAXIP, to);
  auto* const ports = mnl_attr_nest_start(message, CTA_NAT_PROTO);
  mnl_attr_put_u16(message, CTA_PROTONAT_PORT_MIN, htons(to.port));
  mnl_attr_put_u16(message, CTA_PROTONAT_PORT_MAX, htons(to.port));
  mnl_attr_nest_end(message, ports);
  mnl_attr_nest_end(message, nat);
}

void put_state(nlmsghdr* message, const Flow& flow) {
  constexpr std::uint8_t kFlags = IP_CT_TCP_FLAG_WINDOW_SCALE | IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_BE_LIBERAL;
  constexpr std::array<std::uint8_t, 2> kFlagsAndMask{kFlags, kFlags};
  auto* const state = mnl_attr_nest_start(message, CTA_PROTOINFO);
  auto* const tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
  mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
  mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, flow.wscale_original);
  mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_WSCALE_REPLY, flow.wscale_reply);
  mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, kFlagsAndMask.size(), kFlagsAndMask.data());
  mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_REPLY, kFlagsAndMask.size(), kFlagsAndMask.data());
  mnl_attr_nest_end(message, tcp);
  mnl_attr_nest_end(message, state);
}

std::size_t build(char* room, const Flow& flow, std::uint32_t sequence, bool last) {
  auto* const message = mnl_nlmsg_put_header(room);
  message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (last ? NLM_F_ACK : 0));
  message->nlmsg_seq = sequence;
  auto* const family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  family->nfgen_family = AF_INET;
  put_tuple(message, CTA_TUPLE_ORIG, flow.original.source, flow.original.destination);
  put_tuple(message, CTA_TUPLE_REPLY, flow.original.destination, flow.original.source);
  mnl_attr_put_u32(message, CTA_STATUS, htonl(IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED));
  mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(static_cast<std::uint32_t>(flow.timeout.count())));
  put_nat(message, CTA_NAT_DST, flow.reply.source);
  put_nat(message, CTA_NAT_SRC, flow.reply.destination);
  put_state(message, flow);
  mnl_attr_put_u32(message, CTA_MARK, htonl(flow.mark));
  return message->nlmsg_len;
}

/// True: the answer to `last` is there, and the kernel refused none.
bool answered(mnl_socket* socket, std::uint32_t last) {
  std::array<char, 1 << 13> answer;
  const auto size = mnl_socket_recvfrom(socket, answer.data(), answer.size());
  if (size < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(nlmsgerr))) return false;
  const auto* const message = std::bit_cast<const nlmsghdr*>(answer.data());
  const auto* const outcome = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
  return message->nlmsg_type == NLMSG_ERROR && outcome->error == 0 && message->nlmsg_seq == last;
}

}  // namespace

double processor_seconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

std::optional<double> put_plainly(std::uint32_t count, const std::function<Flow(std::uint32_t)>& flow) {
  const Socket socket(mnl_socket_open(NETLINK_NETFILTER));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return {};
  std::vector<char> room(kBatch * kRoom);
  const double begin = processor_seconds();
  for (std::uint32_t n = 0; n < count;) {
    std::size_t size = 0;
    for (std::uint32_t i = 0; i < kBatch && n < count; ++i, ++n) {
      const bool last = i + 1 == kBatch || n + 1 == count;
      size += build(&room[size], flow(n), n + 1, last);
    }
    if (mnl_socket_sendto(socket.get(), room.data(), size) < 0 || !answered(socket.get(), n)) return {};
  }
  return processor_seconds() - begin;
}

}  // namespace wsl4::bench
