// Why a connection did not become one with the peer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wsl4::peer {

enum class Refusal : std::uint8_t {
  kStranger,       // from another address than the peer's
  kTooMany,        // the oldest of too many that had not shown the key yet
  kTooSlow,        // did not show the key in time
  kNoTls,          // sent what is no TLS 1.3
  kNoKey,          // TLS, but without any pre-shared key
  kUnknownKey,     // with a key that is not in this node's file
  kWrongKey,       // named one of this node's keys and does not have it
  kRefusedByPeer,  // the other end ended the handshake: it does not know this node's first key, most likely
  kOurselves,      // the other end is this node
  kDuplicate,      // both nodes had connected; the other connection was kept
  kClosed          // gone before it had shown the key
};
inline constexpr std::size_t kRefusals = 11;

/// As metrics and the log name it: "unknown_key".
[[nodiscard]] constexpr std::string_view to_string(Refusal refusal) {
  constexpr std::array<std::string_view, kRefusals> kNames{"stranger",  "too_many",    "too_slow",  "no_tls",
                                                           "no_key",    "unknown_key", "wrong_key", "refused_by_peer",
                                                           "ourselves", "duplicate",   "closed"};
  return kNames.at(static_cast<std::size_t>(refusal));
}

}  // namespace wsl4::peer
