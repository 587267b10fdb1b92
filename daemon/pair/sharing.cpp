#include "daemon/pair/sharing.h"

#include <fmt/format.h>

#include "daemon/util/log.h"

namespace wsl4::pair {

namespace {

constexpr std::array<std::string_view, kDocuments> kNames{"what was changed at run time", "what has registered",
                                                          "what health checks found"};

}  // namespace

void Sharing::publish(Document kind, std::string_view text) {
  const auto index = static_cast<std::size_t>(kind);
  auto pieces = split(kind, ++versions_.at(index), text);
  auto& problem = problems_.at(index);
  const bool is_new = !pieces && problem.empty();
  problem = pieces ? "" : fmt::format("{} is not shared with the peer: {}", kNames.at(index), pieces.error());
  if (is_new) told_(problem);
  if (!pieces) return;
  for (auto& piece : *pieces) publish_(std::move(piece));
}

std::vector<std::string> Sharing::problems() const {
  std::vector<std::string> all(problems_.begin(), problems_.end());
  std::erase(all, "");
  return all;
}

std::optional<WholeDocument> Sharing::take(const sync::SharedState& piece, bool from_active) {
  auto taken = assembly_.take(piece);
  if (!taken) {
    log::error("peer-document-broken", "error=\"{}\"", taken.error());
    return std::nullopt;
  }
  if (*taken) (*taken)->from_active = from_active;
  return std::move(*taken);
}

}  // namespace wsl4::pair
