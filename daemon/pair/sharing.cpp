#include "daemon/pair/sharing.h"

#include "daemon/util/log.h"

namespace wsl4::pair {

void Sharing::publish(Document kind, std::string_view text) {
  auto pieces = split(kind, ++versions_.at(static_cast<std::size_t>(kind)), text);
  if (!pieces) return log::error("not-shared", "error=\"{}\"", pieces.error());
  for (auto& piece : *pieces) publish_(std::move(piece));
}

std::optional<WholeDocument> Sharing::take(const sync::SharedState& piece) {
  auto taken = assembly_.take(piece);
  if (taken) return std::move(*taken);
  log::error("peer-document-broken", "error=\"{}\"", taken.error());
  return std::nullopt;
}

}  // namespace wsl4::pair
