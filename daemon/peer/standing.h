// Which connection stays where both nodes have connected. Pure.
#pragma once

#include <array>
#include <cstdint>

namespace wsl4::peer {

/// A random number of a link: another one after each start. Told by each end inside TLS.
using Instance = std::array<std::uint8_t, 16>;

enum class OpenedBy : std::uint8_t { kUs, kPeer };

/// What is known of a connection whose other end has shown the key.
struct Standing {
  OpenedBy opened_by = OpenedBy::kUs;
  Instance peer{};
};

/// Whether a new connection takes the place of the one in use. A peer that has started again has lost the old one, and so has one
/// that connects once more. Else the two have crossed, and both ends keep the one that the greater instance has opened.
[[nodiscard]] inline bool replaces(const Standing& newcomer, const Standing& present, const Instance& own) {
  if (newcomer.peer != present.peer || newcomer.opened_by == present.opened_by) return true;
  return newcomer.opened_by == (own > newcomer.peer ? OpenedBy::kUs : OpenedBy::kPeer);
}

}  // namespace wsl4::peer
