#include "netlink/nft/base_chains.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace wsl4::netlink::nft {
namespace {

constexpr std::size_t kReceiveBuffer = 1U << 20;
constexpr std::uint16_t kNewChain = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN;
constexpr std::uint16_t kGetChain = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;

std::string text(ByteSpan value) { return {value.begin(), std::ranges::find(value, 0)}; }

std::optional<std::string> family_name(std::uint8_t family) {
  if (family == NFPROTO_IPV4) return "ip";
  if (family == NFPROTO_IPV6) return "ip6";
  if (family == NFPROTO_INET) return "inet";
  return std::nullopt;
}

std::optional<Hook::Point> point_of(std::uint32_t hook) {
  switch (hook) {
    case NF_INET_PRE_ROUTING:
      return Hook::Point::kPrerouting;
    case NF_INET_LOCAL_IN:
      return Hook::Point::kInput;
    case NF_INET_FORWARD:
      return Hook::Point::kForward;
    case NF_INET_LOCAL_OUT:
      return Hook::Point::kOutput;
    case NF_INET_POST_ROUTING:
      return Hook::Point::kPostrouting;
    default:
      return std::nullopt;
  }
}

/// False: not at one of the five points.
bool read_hook(ByteSpan nest, BaseChain& chain) {
  std::optional<Hook::Point> point;
  AttributeReader reader(nest);
  while (const auto attribute = reader.next()) {
    if (attribute->type == NFTA_HOOK_HOOKNUM) point = point_of(read_be32(attribute->value).value_or(NF_INET_NUMHOOKS));
    if (attribute->type == NFTA_HOOK_PRIORITY) chain.priority = static_cast<std::int32_t>(read_be32(attribute->value).value_or(0));
  }
  if (point) chain.point = *point;
  return point.has_value();
}

std::optional<BaseChain> parse_base_chain(ByteSpan payload) {
  nfgenmsg header{};
  if (payload.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, payload.data(), sizeof header);
  const auto family = family_name(header.nfgen_family);
  if (!family) return std::nullopt;
  BaseChain chain;
  chain.family = *family;
  bool hooked = false;
  AttributeReader reader(payload.subspan(sizeof header));
  while (const auto attribute = reader.next()) {
    if (attribute->type == NFTA_CHAIN_TABLE) chain.table = text(attribute->value);
    if (attribute->type == NFTA_CHAIN_NAME) chain.name = text(attribute->value);
    if (attribute->type == NFTA_CHAIN_HOOK) hooked = read_hook(attribute->value, chain);
    if (attribute->type == NFTA_CHAIN_POLICY) chain.policy_drop = read_be32(attribute->value) == std::uint32_t{NF_DROP};
  }
  return hooked ? std::optional(chain) : std::nullopt;
}

}  // namespace

Result<std::vector<BaseChain>> read_base_chains() {
  SocketOptions options;
  options.bus = NETLINK_NETFILTER;
  options.receive_buffer = kReceiveBuffer;
  auto socket = Socket::open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  MessageWriter request;
  request.begin(kGetChain, NLM_F_REQUEST | NLM_F_DUMP, 1);
  request.header(nfgenmsg{NFPROTO_UNSPEC, NFNETLINK_V0, 0});
  request.end();
  if (const auto sent = socket->send(request.bytes()); !sent) return tl::make_unexpected(sent.error());

  std::vector<BaseChain> chains;
  std::vector<std::uint8_t> buffer(kReceiveSize);
  for (;;) {
    const auto received = socket->receive(buffer);
    if (!received) return tl::make_unexpected(received.error());
    if (received->kind == Received::Kind::kOverrun) return failure(ENOBUFS, "list base chains");
    MessageReader messages(received->data);
    while (const auto message = messages.next()) {
      if (const auto outcome = message->outcome()) {
        if (*outcome != 0) return failure(*outcome, "list base chains");
        return chains;
      }
      if (message->type != kNewChain) continue;
      if (auto chain = parse_base_chain(message->payload)) chains.push_back(std::move(*chain));
    }
  }
}

}  // namespace wsl4::netlink::nft
