// Why a connection did not become one with the peer, or was one no longer.
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
  kClosed,         // gone before it had shown the key
  kTampered        // was one with the peer, until a record came that the peer has not sent so, or not then
};
inline constexpr std::size_t kRefusals = 12;

/// As metrics and the log name it: "unknown_key".
[[nodiscard]] constexpr std::string_view to_string(Refusal refusal) {
  constexpr std::array<std::string_view, kRefusals> kNames{"stranger",  "too_many",    "too_slow",  "no_tls",
                                                           "no_key",    "unknown_key", "wrong_key", "refused_by_peer",
                                                           "ourselves", "duplicate",   "closed",    "tampered"};
  return kNames.at(static_cast<std::size_t>(refusal));
}

/// For people.
[[nodiscard]] constexpr std::string_view describe(Refusal refusal) {
  constexpr std::array<std::string_view, kRefusals> kTexts{
      "a connection from another address than the peer's",
      "too many connections that have not shown a key; the oldest was closed",
      "a connection did not show a key in time",
      "a connection without TLS 1.3",
      "a connection without a key",
      "the peer's first key is not in this node's key file",
      "a connection names a key of this node's file and does not have it",
      "the peer refuses this node: its file does not have this node's first key, most likely",
      "the other end is this node itself",
      "both nodes had connected; the other connection was kept",
      "a connection was closed before it had shown a key",
      "a record was changed, cut or repeated on its way; the connection was closed"};
  return kTexts.at(static_cast<std::size_t>(refusal));
}

}  // namespace wsl4::peer
