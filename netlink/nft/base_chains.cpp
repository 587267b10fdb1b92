#include "netlink/nft/base_chains.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/conversation.h"
#include "netlink/nft/accept_rule.h"

namespace wsl4::netlink::nft {
namespace {

constexpr std::size_t kListBuffer = 1U << 20;

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
  explicit Lister(Conversation kernel) : kernel_(std::move(kernel)) {}

  Result<std::vector<BaseChain>> chains() {
    std::vector<BaseChain> chains;
    const auto listed = list(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, {}, "list base chains", [&](ByteSpan payload) {
      if (auto chain = parse_base_chain(payload)) chains.push_back(std::move(*chain));
    });
    if (!listed) return tl::make_unexpected(listed.error());
    return chains;
  }

  Result<void> look_into(BaseChain& chain) {
    const auto* const family = std::ranges::find(kFamilies, chain.family, [](const auto& one) { return one.second; });
    const Names names{{NFTA_RULE_TABLE, chain.table}, {NFTA_RULE_CHAIN, chain.name}};
    return list(NFT_MSG_GETRULE, family->first, names, "list the rules of " + chain.name, [&](ByteSpan payload) {
      AttributeReader reader(payload.subspan(std::min(sizeof(nfgenmsg), payload.size())));
      while (const auto attribute = reader.next())
        chain.accepts_translated |= attribute->type == NFTA_RULE_EXPRESSIONS && accepts_translated(attribute->value);
    });
  }

 private:
  using Names = std::vector<std::pair<std::uint16_t, std::string>>;

  template <class Visit>
  Result<void> list(std::uint16_t message, std::uint8_t family, const Names& names, const std::string& what, Visit&& visit) {
    const auto write = [&](MessageWriter& request, std::uint32_t number) {
      request.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message), NLM_F_REQUEST | NLM_F_DUMP, number);
      request.header(nfgenmsg{family, NFNETLINK_V0, 0});
      for (const auto& [type, name] : names) request.put_string(type, name);
      request.end();
    };
    return kernel_.list(write, what, visit);
  }

  Conversation kernel_;
};

}  // namespace

Result<std::vector<BaseChain>> read_base_chains() {
  SocketOptions options;
  options.bus = NETLINK_NETFILTER;
  options.receive_buffer = kListBuffer;
  auto kernel = Conversation::open(options);
  if (!kernel) return tl::make_unexpected(kernel.error());
  Lister lister(std::move(*kernel));
  auto chains = lister.chains();
  if (!chains) return chains;
  for (auto& chain : *chains) {
    if (!chain.policy_drop || chain.point != Hook::Point::kForward) continue;
    if (const auto looked = lister.look_into(chain); !looked) return tl::make_unexpected(looked.error());
  }
  return chains;
}

}  // namespace wsl4::netlink::nft
