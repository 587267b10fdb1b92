// What a table found in the kernel tells about the backends that it was made for.
#include <algorithm>
#include <string_view>

#include "daemon/dataplane/plan.h"

namespace wsl4::dataplane {
namespace {

/// Takes the next word off `text`; what is left after the last one is empty.
std::string_view take_word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

/// The mark that a chain sets, if it sets one within exactly this mask.
std::optional<std::uint32_t> mark_of(const netlink::nft::Chain& chain, const service::MarkLayout& layout) {
  for (const auto& rule : chain.rules)
    for (const auto& statement : rule.statements)
      if (const auto* set = std::get_if<netlink::nft::SetCtMark>(&statement); set && set->keep == ~layout.mask()) return set->value;
  return std::nullopt;
}

/// Reads names::backend_comment.
std::optional<AdoptedBackend> read_comment(std::string_view comment) {
  AdoptedBackend backend;
  backend.service = take_word(comment);
  const auto protocol = take_word(comment);
  const auto address = netlink::Endpoint::parse(take_word(comment));
  backend.name = comment;
  if (backend.service.empty() || backend.name.empty() || !address) return std::nullopt;
  backend.address = *address;
  for (const auto known : {netlink::Protocol::kTcp, netlink::Protocol::kUdp}) {
    if (protocol != netlink::to_string(known)) continue;
    backend.protocol = known;
    return backend;
  }
  return std::nullopt;
}

}  // namespace

std::vector<AdoptedBackend> adopted_backends(const netlink::nft::Table& found, const service::MarkLayout& mark) {
  std::vector<AdoptedBackend> backends;
  for (const auto& [name, chain] : found.chains) {
    const auto value = mark_of(chain, mark);
    auto backend = value ? read_comment(chain.comment) : std::nullopt;
    if (!backend) continue;
    backend->id = mark.to_id(*value);
    if (backend->id != 0) backends.push_back(std::move(*backend));
  }
  return backends;
}

}  // namespace wsl4::dataplane
