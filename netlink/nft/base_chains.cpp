#include "netlink/nft/base_chains.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/message.h"
#include "netlink/nft/accept_rule.h"
#include "netlink/socket.h"

namespace wsl4::netlink::nft {
namespace {

constexpr std::size_t kListBuffer = 1U << 20;
constexpr std::uint16_t kNewChain = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN;
constexpr std::uint16_t kNewRule = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE;

constexpr std::array<std::pair<std::uint8_t, const char*>, 3> kFamilies{
    {{NFPROTO_IPV4, "ip"}, {NFPROTO_IPV6, "ip6"}, {NFPROTO_INET, "inet"}}};

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
  const auto* const family = std::ranges::find(kFamilies, header.nfgen_family, [](const auto& one) { return one.first; });
  if (family == kFamilies.end()) return std::nullopt;
  BaseChain chain;
  chain.family = family->second;
  bool hooked = false;
  AttributeReader reader(payload.subspan(sizeof header));
  while (const auto attribute = reader.next()) {
    if (attribute->type == NFTA_CHAIN_TABLE) chain.table = read_text(attribute->value);
    if (attribute->type == NFTA_CHAIN_NAME) chain.name = read_text(attribute->value);
    if (attribute->type == NFTA_CHAIN_HOOK) hooked = read_hook(attribute->value, chain);
    if (attribute->type == NFTA_CHAIN_POLICY) chain.policy_drop = read_be32(attribute->value) == std::uint32_t{NF_DROP};
  }
  return hooked ? std::optional(chain) : std::nullopt;
}

class Lister {
 public:
  explicit Lister(Socket socket) : socket_(std::move(socket)) {}

  Result<std::vector<BaseChain>> chains() {
    std::vector<BaseChain> chains;
    begin(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC);
    const auto listed = finish(kNewChain, "list base chains", [&](ByteSpan payload) {
      if (auto chain = parse_base_chain(payload)) chains.push_back(std::move(*chain));
    });
    if (!listed) return tl::make_unexpected(listed.error());
    return chains;
  }

  Result<void> look_into(BaseChain& chain) {
    const auto* const family = std::ranges::find(kFamilies, chain.family, [](const auto& one) { return one.second; });
    begin(NFT_MSG_GETRULE, family->first);
    put(NFTA_RULE_TABLE, chain.table);
    put(NFTA_RULE_CHAIN, chain.name);
    return finish(kNewRule, "list the rules of " + chain.name, [&](ByteSpan payload) {
      AttributeReader reader(payload.subspan(std::min(sizeof(nfgenmsg), payload.size())));
      while (const auto attribute = reader.next())
        chain.accepts_translated |= attribute->type == NFTA_RULE_EXPRESSIONS && accepts_translated(attribute->value);
    });
  }

 private:
  void begin(std::uint16_t message, std::uint8_t family) {
    request_.clear();
    request_.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message), NLM_F_REQUEST | NLM_F_DUMP, ++sequence_);
    request_.header(nfgenmsg{family, NFNETLINK_V0, 0});
  }

  void put(std::uint16_t type, const std::string& name) {
    request_.put(type, {reinterpret_cast<const std::uint8_t*>(name.c_str()), name.size() + 1});
  }

  /// Hands every answer of type `wanted` to `take`.
  template <class Take>
  Result<void> finish(std::uint16_t wanted, const std::string& what, Take&& take) {
    request_.end();
    if (const auto sent = socket_.send(request_.bytes()); !sent) return tl::make_unexpected(sent.error());
    for (;;) {
      const auto received = socket_.receive(buffer_);
      if (!received) return tl::make_unexpected(received.error());
      if (received->kind == Received::Kind::kOverrun) return failure(ENOBUFS, what);
      MessageReader messages(received->data);
      while (const auto message = messages.next()) {
        if (const auto outcome = message->outcome()) return *outcome == 0 ? Result<void>{} : failure(*outcome, what);
        if (message->type == wanted) take(message->payload);
      }
    }
  }

  Socket socket_;
  MessageWriter request_;
  std::uint32_t sequence_ = 0;
  std::array<std::uint8_t, kReceiveSize> buffer_{};
};

}  // namespace

Result<std::vector<BaseChain>> read_base_chains() {
  SocketOptions options;
  options.bus = NETLINK_NETFILTER;
  options.receive_buffer = kListBuffer;
  auto socket = Socket::open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  Lister lister(std::move(*socket));
  auto chains = lister.chains();
  if (!chains) return chains;
  for (auto& chain : *chains) {
    if (!chain.policy_drop || chain.point != Hook::Point::kForward) continue;
    if (const auto looked = lister.look_into(chain); !looked) return tl::make_unexpected(looked.error());
  }
  return chains;
}

}  // namespace wsl4::netlink::nft
